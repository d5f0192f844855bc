// A minimal HTTP client for the page of metrics on loopback.
#ifndef SASQ_TESTS_SERVER_HTTP_GET_H_
#define SASQ_TESTS_SERVER_HTTP_GET_H_

#include <string>

namespace sasq {

// The body of `path` on 127.0.0.1:`port`; empty if anything fails.
std::string HttpGet(int port, const std::string& path);

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_HTTP_GET_H_
