#include "tests/server/postgres_server.h"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sasq {
namespace {

constexpr char kPrograms[] = "/usr/lib/postgresql/15/bin/";

}  // namespace

PostgresServer::PostgresServer() : user_(::geteuid() == 0 ? "postgres" : "") {
  if (!user_.empty()) {
    const passwd* account = ::getpwnam(user_.c_str());
    EXPECT_NE(account, nullptr) << "there is no user postgres; install postgresql";
    if (account == nullptr) return;
    EXPECT_EQ(::chown(folder_.path().c_str(), account->pw_uid, account->pw_gid), 0);
  }
  const std::string log = folder_.path() + "/log";
  ChildProcess initdb(
      {absl::StrCat(kPrograms, "initdb"), "--pgdata", folder_.path() + "/data", "--username=sasq",
       "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"},
      log, user_);
  EXPECT_EQ(initdb.Stop(0), 0) << TextOfFile(log);
  Start();
}

void PostgresServer::Start() {
  const std::string log = folder_.path() + "/log";
  process_ = std::make_unique<ChildProcess>(
      std::vector<std::string>{absl::StrCat(kPrograms, "postgres"), "-D", folder_.path() + "/data",
                               "-k", folder_.path(), "-c", "listen_addresses=", "-c", "fsync=off"},
      log, user_);
  while (process_->Runs() && !PostgresConnection::Open({.url = UrlOf("postgres")}).ok()) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(process_->Runs()) << TextOfFile(log);
}

void PostgresServer::Kill() {
  // Its own processes end at once too, without writing anything.
  process_->Stop(SIGQUIT);
}

std::string PostgresServer::UrlOf(const std::string& database) const {
  return absl::StrCat("postgres://sasq@/", database, "?host=", folder_.path());
}

PostgresOptions PostgresServer::Database(const std::string& name) {
  auto connection = PostgresConnection::Open({.url = UrlOf("postgres")});
  EXPECT_TRUE(connection.ok()) << connection.status();
  const absl::Status made = (*connection)->Execute(absl::StrCat("CREATE DATABASE ", name));
  EXPECT_TRUE(made.ok() || absl::StrContains(made.message(), "already exists")) << made;
  return {.url = UrlOf(name)};
}

}  // namespace sasq
