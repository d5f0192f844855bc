#include "common/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace sasq {
namespace {

struct Ipv4Block {
  uint32_t address;
  int prefix_bits;
};

constexpr uint32_t Ipv4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// https://www.iana.org/assignments/iana-ipv4-special-registry
constexpr Ipv4Block kSpecialIpv4[] = {
    {Ipv4(0, 0, 0, 0), 8},        // this network
    {Ipv4(10, 0, 0, 0), 8},       // private
    {Ipv4(100, 64, 0, 0), 10},    // shared by a provider's customers
    {Ipv4(127, 0, 0, 0), 8},      // loopback
    {Ipv4(169, 254, 0, 0), 16},   // link-local
    {Ipv4(172, 16, 0, 0), 12},    // private
    {Ipv4(192, 0, 0, 0), 24},     // protocol assignments
    {Ipv4(192, 0, 2, 0), 24},     // documentation
    {Ipv4(192, 88, 99, 0), 24},   // 6to4 relays
    {Ipv4(192, 168, 0, 0), 16},   // private
    {Ipv4(198, 18, 0, 0), 15},    // benchmarks
    {Ipv4(198, 51, 100, 0), 24},  // documentation
    {Ipv4(203, 0, 113, 0), 24},   // documentation
    {Ipv4(224, 0, 0, 0), 3},      // multicast, reserved, broadcast
};

bool IsPublicIpv4(uint32_t address) {
  return std::none_of(std::begin(kSpecialIpv4), std::end(kSpecialIpv4),
                      [address](const Ipv4Block& block) {
                        return (address ^ block.address) >> (32 - block.prefix_bits) == 0;
                      });
}

using Ipv6 = std::array<uint8_t, 16>;

uint32_t Ipv4In(const Ipv6& address, size_t offset) {
  return Ipv4(address[offset], address[offset + 1], address[offset + 2], address[offset + 3]);
}

// https://www.iana.org/assignments/iana-ipv6-special-registry: only 2000::/3 is given out.
bool IsPublicIpv6(const Ipv6& address) {
  constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr uint8_t kTranslated[12] = {0, 0x64, 0xff, 0x9b};
  const auto begins = [&address](const uint8_t(&prefix)[12]) {
    return std::equal(std::begin(prefix), std::end(prefix), address.begin());
  };
  if (begins(kMapped) || begins(kTranslated)) return IsPublicIpv4(Ipv4In(address, 12));
  if (address[0] == 0x20 && address[1] == 0x02) return IsPublicIpv4(Ipv4In(address, 2));
  const bool is_given_out = (address[0] & 0xe0) == 0x20;
  const bool is_special = address[0] == 0x20 && address[1] == 0x01 &&
                          (address[2] < 0x02 || (address[2] == 0x0d && address[3] == 0xb8));
  return is_given_out && !is_special;
}

}  // namespace

bool IsLoopbackAddress(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) return true;
  const size_t colon = address.rfind(':');
  const absl::string_view host = address.substr(0, colon);
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  // Four numbers, the first of them 127: no name that only begins so.
  return absl::StartsWith(host, "127.") &&
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

bool IsPublicAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in ipv4;
    std::memcpy(&ipv4, &address, sizeof(ipv4));
    return IsPublicIpv4(ntohl(ipv4.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return false;
  sockaddr_in6 ipv6;
  std::memcpy(&ipv6, &address, sizeof(ipv6));
  Ipv6 bytes;
  std::memcpy(bytes.data(), &ipv6.sin6_addr, bytes.size());
  return IsPublicIpv6(bytes);
}

std::string AddressText(const sockaddr& address) {
  const socklen_t size = address.sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  char host[NI_MAXHOST] = {};
  if (::getnameinfo(&address, size, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) != 0)
    return "?";
  return host;
}

}  // namespace sasq
