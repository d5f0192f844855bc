// An S3 store of a test's own: moto's server as a process, on loopback.
#ifndef SASQ_TESTS_SERVER_S3_SERVER_H_
#define SASQ_TESTS_SERVER_S3_SERVER_H_

#include <string>

#include "quant/source/s3_bucket.h"
#include "tests/server/child_process.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {

class S3Server {
 public:
  // Answers when it returns.
  S3Server();

  S3Options options() const;
  // Makes a bucket, as an administrator would.
  void MakeBucket(const std::string& name) const;

 private:
  TemporaryFolder folder_;
  ChildProcess process_;
  std::string endpoint_;
};

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_S3_SERVER_H_
