// What needs no server; the rest is tested with one in tests/quant/source.
#include "common/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sasq {
namespace {

TEST(HttpTest, PercentEncodesAllButTheUnreserved) {
  EXPECT_EQ(PercentEncode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(PercentEncode("a b/c+d%?&#"), "a%20b%2Fc%2Bd%25%3F%26%23");
  EXPECT_EQ(PercentEncode("a b/c", "/"), "a%20b/c");
  EXPECT_EQ(PercentEncode("ü"), "%C3%BC");
}

TEST(HttpTest, PercentDecodesWhatIsEncoded) {
  EXPECT_EQ(PercentDecode("a%20b%2Fc%2bd%25"), "a b/c+d%");
  EXPECT_EQ(PercentDecode("100%, %g0, %2"), "100%, %g0, %2");
}

TEST(HttpTest, RefusesOtherProtocols) {
  const auto take = [](const HttpResponse&, absl::string_view) { return absl::OkStatus(); };
  for (const char* url : {"file:///etc/passwd", "ftp://localhost/x", "gopher://localhost/x", ""}) {
    HttpRequest request;
    request.url = url;
    EXPECT_TRUE(absl::IsInvalidArgument(HttpCall(request, {}, {}, take).status())) << url;
  }
}

TEST(HttpTest, SaysWhoCannotBeReached) {
  HttpRequest request;
  request.url = "http://127.0.0.1:9/path?secret=1";
  const absl::Status status = HttpCall(request, {}, {}, [](const HttpResponse&, absl::string_view) {
                                return absl::OkStatus();
                              }).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("http://127.0.0.1:9/path:"));
  EXPECT_THAT(std::string(status.message()), testing::Not(testing::HasSubstr("secret")));
}

TEST(HttpTest, StaysOutOfPrivateNetworks) {
  const auto take = [](const HttpResponse&, absl::string_view) { return absl::OkStatus(); };
  for (const char* url :
       {"http://127.0.0.1:9/x", "http://localhost:9/x", "http://[::1]:9/x",
        "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/x", "http://2130706433:9/x"}) {
    HttpRequest request;
    request.url = url;
    const absl::Status status =
        HttpCall(request, {.only_public_addresses = true}, {}, take).status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << url << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("--allow_private_addresses"));
  }
}

}  // namespace
}  // namespace sasq
