#include "tests/server/s3_server.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "quant/source/http_source.h"

namespace sasq {

S3Server::S3Server()
    : process_({SASQ_PYTHON, "-B", SASQ_S3_SERVER, folder_.path() + "/port"},
               folder_.path() + "/log") {
  std::string port;
  while (port.empty() && process_.Runs()) {
    port = TextOfFile(folder_.path() + "/port");
    std::this_thread::yield();
  }
  EXPECT_TRUE(process_.Runs()) << TextOfFile(folder_.path() + "/log");
  endpoint_ = "http://127.0.0.1:" + port;
}

S3Options S3Server::options() const {
  S3Options options;
  options.endpoint = endpoint_;
  options.signing = AwsSigning{.access_key_id = "AKIAIOSFODNN7EXAMPLE",
                               .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                               .session_token = "",
                               .region = "us-east-1"};
  return options;
}

void S3Server::MakeBucket(const std::string& name) const {
  HttpRequest request;
  request.method = "PUT";
  request.url = absl::StrCat(endpoint_, "/", name);
  request.signing = options().signing;
  Retrier retrier({.initial = absl::Milliseconds(1)}, *Pause::Real(), [](absl::string_view) {});
  const auto reply = CallAll(request, {}, {}, 1 << 20, retrier, {});
  ASSERT_TRUE(reply.ok()) << reply.status();
}

}  // namespace sasq
