#include "client/job_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/fake_service.h"

namespace sasq {
namespace {

using testing::FakeService;
using ::testing::HasSubstr;
using testing::JobName;
using testing::MakeJob;

class JobNameTest : public ::testing::Test {
 protected:
  JobNameTest() {
    for (const char* digits : {"aaaaaa1", "aaaaaa2", "bbbbbb", "cccccc", "dddddd"}) {
      service_.AddJob(MakeJob(JobName(digits), v1::JOB_STATE_QUEUED, 1));
    }
  }

  std::string Error(const std::string& typed) {
    const auto name = ResolveJobName(client_, typed);
    EXPECT_FALSE(name.ok()) << *name;
    return std::string(name.status().message());
  }

  FakeService service_;
  Interrupt interrupt_;
  ServiceClient client_{{.endpoint = service_.endpoint()}, &interrupt_};
};

TEST_F(JobNameTest, WholeNamesAreTakenAsTheyAre) {
  const std::string name = JobName("123456");  // not even there
  EXPECT_EQ(*ResolveJobName(client_, name), name);
  EXPECT_EQ(*ResolveJobName(client_, name.substr(5)), name);
  EXPECT_EQ(*ResolveJobName(client_, "artifacts/" + name.substr(5)), name);
}

TEST_F(JobNameTest, FirstDigitsAreLookedUpOnEveryPage) {
  EXPECT_EQ(*ResolveJobName(client_, "dddddd"), JobName("dddddd"));
  EXPECT_EQ(*ResolveJobName(client_, "jobs/aaaaaa2"), JobName("aaaaaa2"));
}

TEST_F(JobNameTest, AmbiguousUnknownAndMalformedNamesAreRefused) {
  EXPECT_THAT(Error("aaaaaa"), HasSubstr("several jobs begin with aaaaaa"));
  EXPECT_THAT(Error("eeeeee"), HasSubstr("no job begins with eeeeee"));
  for (const char* bad : {"", "jobs/", "abc", "ABCDEF", "not/a/job", "workers/abcdef",
                          "abcdef0123456789abcdef0123456789a"}) {
    EXPECT_THAT(Error(bad), HasSubstr("is not the name of a job")) << bad;
  }
}

}  // namespace
}  // namespace sasq
