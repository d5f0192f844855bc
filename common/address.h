// Network addresses: what only this machine reaches, and what is somebody's own network.
#ifndef SASQ_COMMON_ADDRESS_H_
#define SASQ_COMMON_ADDRESS_H_

#include <string>

#include "absl/strings/string_view.h"

struct sockaddr;

namespace sasq {

// Whether only this machine reaches `address` (host:port): localhost, 127.0.0.0/8, ::1, unix:.
bool IsLoopbackAddress(absl::string_view address);

// Whether an IPv4 or IPv6 address is one of the public Internet: none that is loopback, link-local
// (cloud machines have their credentials there), private, shared, multicast, unspecified or
// reserved (RFC 6890), also when written as IPv6 (::ffff:0:0/96, 64:ff9b::/96, 2002::/16). False
// for other families.
bool IsPublicAddress(const sockaddr& address);

// An IPv4 or IPv6 address in figures, without its port.
std::string AddressText(const sockaddr& address);

}  // namespace sasq

#endif  // SASQ_COMMON_ADDRESS_H_
