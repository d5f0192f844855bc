// A PostgreSQL server of a test's own, on a Unix socket in a temporary folder.
#ifndef SASQ_TESTS_SERVER_POSTGRES_SERVER_H_
#define SASQ_TESTS_SERVER_POSTGRES_SERVER_H_

#include <memory>
#include <string>

#include "server/postgres.h"
#include "tests/server/child_process.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {

class PostgresServer {
 public:
  // Takes connections when it returns. PostgreSQL refuses to run as root: then it runs as
  // `postgres`.
  PostgresServer();

  // A database of that name, made if it is missing.
  PostgresOptions Database(const std::string& name);

  void Start();
  // As if the power went.
  void Kill();

 private:
  std::string UrlOf(const std::string& database) const;

  TemporaryFolder folder_;
  const std::string user_;  // empty: the one who runs the test
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_POSTGRES_SERVER_H_
