#include "frameworks/cli/table.h"

#include "protocol/strings.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <ctime>

namespace stoa::cli {

namespace {

// As a terminal counts: bytes that continue a UTF-8 character take no room.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

bool isNumber(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789./") == std::string::npos;
}

} // namespace

std::string Table::text() const {
    const std::size_t columns = rows_[0].size();
    std::vector<std::size_t> widths(columns);
    std::vector<bool> right(columns, rows_.size() > 1);
    for (std::size_t r = 0; r < rows_.size(); ++r) {
        for (std::size_t c = 0; c < columns; ++c) {
            widths[c] = std::max(widths[c], width(rows_[r][c]));
            if (r > 0 && rows_[r][c] != "-" && !isNumber(rows_[r][c])) right[c] = false;
        }
    }
    std::string text;
    for (const std::vector<std::string>& row : rows_) {
        std::string line;
        for (std::size_t c = 0; c < columns; ++c) {
            const std::string padding(widths[c] - width(row[c]), ' ');
            if (c > 0) line += "  ";
            line += right[c] ? padding + row[c] : row[c] + padding;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string counted(std::int64_t count, std::string_view what) {
    return concat(count, " ", what, count == 1 ? "" : "s");
}

std::string amount(double value) {
    std::string text = absl::StrFormat("%.3f", value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
}

std::string ago(double seconds_since_1970) {
    if (seconds_since_1970 <= 0) return "-";
    const auto seconds =
        std::max<long>(0, static_cast<long>(static_cast<double>(std::time(nullptr)) - seconds_since_1970));
    if (seconds < 120) return concat(seconds, "s");
    if (seconds < 7200) return concat(seconds / 60, "m");
    if (seconds < 172800) return concat(seconds / 3600, "h");
    return concat(seconds / 86400, "d");
}

} // namespace stoa::cli
