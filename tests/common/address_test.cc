#include "common/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

namespace sasq {
namespace {

// The address that `text` writes.
sockaddr_storage Parse(const std::string& text) {
  sockaddr_storage storage = {};
  auto* ipv4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, text.c_str(), &ipv4->sin_addr) == 1) {
    storage.ss_family = AF_INET;
  } else {
    EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &ipv6->sin6_addr), 1) << text;
    storage.ss_family = AF_INET6;
  }
  return storage;
}

bool IsPublic(const std::string& text) {
  const sockaddr_storage storage = Parse(text);
  return IsPublicAddress(reinterpret_cast<const sockaddr&>(storage));
}

TEST(AddressTest, KnowsLoopback) {
  for (const char* address :
       {"127.0.0.1:7433", "127.8.9.1:0", "localhost:1", "[::1]:1", "unix:/s"}) {
    EXPECT_TRUE(IsLoopbackAddress(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "127.example.com:1", "host:1", ":1", ""}) {
    EXPECT_FALSE(IsLoopbackAddress(address)) << address;
  }
}

TEST(AddressTest, KnowsWhatIsPublic) {
  for (const char* text :
       {"1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255",
        "169.253.1.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "198.17.1.1", "223.255.255.255",
        "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"}) {
    EXPECT_TRUE(IsPublic(text)) << text;
  }
  for (const char* text : {"0.0.0.0",
                           "10.1.2.3",
                           "100.64.0.1",
                           "127.0.0.1",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "192.0.2.1",
                           "198.19.0.1",
                           "203.0.113.9",
                           "224.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fe80::1",
                           "fc00::1",
                           "fd12::1",
                           "ff02::1",
                           "2001:db8::1",
                           "2001::1",
                           "::ffff:127.0.0.1",
                           "::ffff:169.254.169.254",
                           "64:ff9b::7f00:1",
                           "2002:7f00:1::1",
                           "::127.0.0.1"}) {
    EXPECT_FALSE(IsPublic(text)) << text;
  }
  sockaddr local = {};
  local.sa_family = AF_UNIX;
  EXPECT_FALSE(IsPublicAddress(local));
}

TEST(AddressTest, WritesFigures) {
  for (const char* text : {"169.254.169.254", "fe80::1"}) {
    const sockaddr_storage storage = Parse(text);
    EXPECT_EQ(AddressText(reinterpret_cast<const sockaddr&>(storage)), text);
  }
}

}  // namespace
}  // namespace sasq
