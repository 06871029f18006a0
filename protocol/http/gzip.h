// Bodies in gzip's form (RFC 1952), for clients that ask for it. Pure functions, usable from any thread.
#pragma once

#include <string>
#include <string_view>

namespace stoa::http {

// "gzip", "deflate, gzip;q=0.5", "*"; not "gzip;q=0".
bool acceptsGzip(std::string_view accept_encoding);

std::string gzip(std::string_view text);

} // namespace stoa::http
