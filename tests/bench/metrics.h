// Reads single values out of a master's /metrics, for the benchmarks that drive a real one. Whatever is missing ends the
// program with a message, since a figure without its count would mean nothing. Functions without state.
#pragma once

#include "protocol/http/client.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace stoa::bench {

// Ends at once, without destructors: threads of drivers may still run.
[[noreturn]] inline void fail(std::string_view why) {
    std::fprintf(stderr, "bench: %.*s\n", static_cast<int>(why.size()), why.data());
    std::fflush(nullptr);
    std::_Exit(1);
}

// `master` as "http://127.0.0.1:5050".
inline std::string metricsOf(const std::string& master) {
    absl::StatusOr<http::ClientResponse> answer = http::get(master + "/metrics");
    if (!answer.ok()) fail(toStd(answer.status().message()));
    return std::move(answer->body);
}

// `name` with its labels, as it stands at the beginning of a line.
inline double metric(const std::string& text, std::string_view name) {
    const std::size_t at = text.find(concat("\n", name, " "));
    if (at == std::string::npos) fail(concat("the master's /metrics has no ", name));
    const std::size_t begin = at + name.size() + 2;
    double value = 0;
    if (!absl::SimpleAtod(text.substr(begin, text.find('\n', begin) - begin), &value)) {
        fail(concat("the master's /metrics has no number for ", name));
    }
    return value;
}

} // namespace stoa::bench
