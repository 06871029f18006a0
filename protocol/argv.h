// Words as execve() and its like want them, which don't write to what they are given: pointers to each, and a null behind.
// Valid as long as the words are left alone. A pure function, usable from any thread; call it before fork(), it allocates.
#pragma once

#include <string>
#include <vector>

namespace stoa {

inline std::vector<char*> argvOf(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    return argv;
}

} // namespace stoa
