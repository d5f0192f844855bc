// An open file descriptor, closed at the end of its scope.
#ifndef SASQ_COMMON_DESCRIPTOR_H_
#define SASQ_COMMON_DESCRIPTOR_H_

#include <unistd.h>

namespace sasq {

class Descriptor {
 public:
  // Takes what open(2) returned, which may be -1.
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace sasq

#endif  // SASQ_COMMON_DESCRIPTOR_H_
