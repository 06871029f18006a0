// Which file says who one is, for a client that need not be told: a function of the environment, usable from any thread.
#pragma once

#include <cstdlib>
#include <string>

namespace stoa {

// The one that was given, else that of STOA_CREDENTIAL; empty: none.
inline std::string ownCredentialFile(const std::string& given) {
    const char* set = std::getenv("STOA_CREDENTIAL");
    return given.empty() && set != nullptr ? set : given;
}

} // namespace stoa
