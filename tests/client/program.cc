#include "tests/client/program.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/status_macros.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace sasq::testing {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Reads what is there; false at the end. A terminal whose other side has gone says EIO.
bool ReadSome(int fd, std::string* text) {
  char buffer[4096];
  const ssize_t count = ::read(fd, buffer, sizeof(buffer));
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  text->append(buffer, static_cast<size_t>(count));
  return true;
}

}  // namespace

Program::Program(const Options& options) {
  static const TemporaryFolder home;
  std::map<std::string, std::string> environment = {
      {"HOME", home.path()}, {"LANG", "C.UTF-8"}, {"TZ", "UTC"}};
  for (const char* sanitizer : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    const char* value = std::getenv(sanitizer);
    if (value != nullptr) environment[sanitizer] = value;
  }
  for (const auto& [key, value] : options.environment) environment[key] = value;
  std::vector<std::string> words = {SASQ_PROGRAM}, settings;
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  for (const auto& [key, value] : environment) settings.push_back(key + "=" + value);
  std::vector<char*> argument_pointers = Pointers(words), environment_pointers = Pointers(settings);

  int in[2], out[2], err[2];
  SASQ_CHECK(::pipe2(in, O_CLOEXEC) == 0);
  if (options.on_terminal) {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = options.columns;
    SASQ_CHECK(::openpty(&out[0], &out[1], nullptr, nullptr, &size) == 0);
    err[0] = -1;
    err[1] = out[1];
  } else {
    SASQ_CHECK(::pipe2(out, O_CLOEXEC) == 0 && ::pipe2(err, O_CLOEXEC) == 0);
  }
  pid_ = ::fork();
  SASQ_CHECK(pid_ >= 0);
  if (pid_ == 0) {  // only calls that are safe after a fork of a threaded program
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(126);
    ::execve(argument_pointers[0], argument_pointers.data(), environment_pointers.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  if (!options.on_terminal) ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
  SASQ_CHECK(::write(in[1], options.input.data(), options.input.size()) ==
             static_cast<ssize_t>(options.input.size()));
  ::close(in[1]);
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

void Program::Signal(int number) const { SASQ_CHECK(::kill(pid_, number) == 0); }

bool Program::ReadMore() {
  pollfd streams[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  if (out_ < 0 && err_ < 0) return false;
  if (::poll(streams, 2, -1) < 0) return true;
  const auto read = [](const pollfd& stream, int* fd, std::string* text) {
    if (*fd < 0 || stream.revents == 0 || ReadSome(*fd, text)) return;
    ::close(*fd);
    *fd = -1;
  };
  read(streams[0], &out_, &result_.out);
  read(streams[1], &err_, &result_.err);
  return true;
}

void Program::ReadUntil(const std::string& text) {
  while (result_.out.find(text) == std::string::npos && ReadMore()) continue;
}

ProgramResult Program::Finish() {
  while (ReadMore()) continue;
  int status = 0;
  SASQ_CHECK(::waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
  return result_;
}

ProgramResult RunProgram(std::vector<std::string> arguments,
                         std::map<std::string, std::string> environment) {
  Program::Options options;
  options.arguments = std::move(arguments);
  options.environment = std::move(environment);
  return Program(options).Finish();
}

}  // namespace sasq::testing
