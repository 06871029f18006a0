// The files of the operator's page, which are inside the program: the machine that runs a master needs nothing else.
// The build gathers them (master/web, and two libraries from npm) and scripts/embed-page writes them down as data; a
// master that was configured --without-page has none.
#pragma once

#include <span>
#include <string_view>

namespace stoa::master {

struct PageFile {
    std::string_view path; // "/web/js/main.js"; the page itself is "/"
    std::string_view type;
    std::string_view content;
};
// Constant, for as long as the program runs.
std::span<const PageFile> pageFiles();

} // namespace stoa::master
