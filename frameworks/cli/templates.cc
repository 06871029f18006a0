#include "frameworks/cli/templates.h"

#include "frameworks/cli/processes.h"
#include "protocol/strings.h"

#include <absl/strings/str_replace.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

namespace stoa::cli {

namespace {

constexpr std::size_t kLongestName = 40;

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

absl::StatusOr<std::string> contentOf(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return absl::UnavailableError(concat(path.string(), " can't be read"));
    return std::move(text).str();
}

} // namespace

std::string className(std::string_view name) {
    std::string words;
    bool begins = true;
    for (char c : name) {
        if (c != '_') words += begins && lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
        begins = c == '_';
    }
    return words;
}

absl::Status writeTemplate(const std::string& kind, const std::string& name) {
    namespace fs = std::filesystem;
    if (name.empty() || name.size() > kLongestName || !lower(name.front()) ||
        !std::all_of(name.begin(), name.end(), [](char c) { return lower(c) || digit(c) || c == '_'; })) {
        return invalid("\"", name,
                       "\" won't do as a name, which becomes that of a class and of files: take a-z, 0-9 and _, ",
                       "a letter first, ", kLongestName, " at most");
    }
    // Installed as bin/stoa and share/stoa/templates; a build folder is laid out the same way.
    const fs::path templates = fs::path(besideThisProgram("stoa")).parent_path().parent_path() / "share/stoa/templates";
    const fs::path source = templates / kind;
    std::error_code error;
    if (!fs::is_directory(source, error)) {
        return absl::NotFoundError(concat("the templates are not installed: there is no ", source.string()));
    }
    if (fs::exists(name, error)) return absl::AlreadyExistsError(concat("./", name, " is there already"));

    const std::vector<std::pair<std::string, std::string>> words = {{"@name@", name}, {"@Name@", className(name)}};
    if (!fs::create_directory(name, error)) {
        return absl::UnavailableError(concat("./", name, " can't be made: ", error.message()));
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(source, error)) {
        absl::StatusOr<std::string> text = contentOf(entry.path());
        if (!text.ok()) return text.status();
        const fs::path target = fs::path(name) / absl::StrReplaceAll(entry.path().filename().string(), words);
        std::ofstream file(target, std::ios::binary);
        file << absl::StrReplaceAll(*text, words);
        if (!file.flush()) return absl::UnavailableError(concat(target.string(), " can't be written"));
    }
    return error ? absl::UnavailableError(concat(source.string(), ": ", error.message())) : absl::OkStatus();
}

} // namespace stoa::cli
