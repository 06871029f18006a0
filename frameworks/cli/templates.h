// Starting points for what is written out of the tree: folders of files under share/stoa/templates (packaging/templates
// in the tree), in whose names and text @name@ and @Name@ stand for the new thing's. Files are read and written here.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

namespace stoa::cli {

// Writes the template `kind` into ./`name`, which must not be there. InvalidArgument: the name won't do.
absl::Status writeTemplate(const std::string& kind, const std::string& name);

// "word_count" -> "WordCount".
std::string className(std::string_view name);

} // namespace stoa::cli
