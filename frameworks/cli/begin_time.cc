#include "frameworks/cli/begin_time.h"

#include "protocol/strings.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stoa::cli {

namespace {

constexpr std::uint32_t kMostUnits = 1'000'000'000;
constexpr int kFirstYear = 1970;
constexpr int kLastYear = 2200; // nanoseconds since 1970 in 64 bits end in 2262

absl::Status noTime(std::string_view text) {
    return invalid("\"", text, "\" is no time; write now+1hour, 16:00, tomorrow or 2027-01-31T08:00");
}

// "07": digits alone, at most so many of them, up to `most`.
std::optional<int> digits(std::string_view text, std::size_t longest, int most) {
    int value = 0;
    if (text.empty() || text.size() > longest) return std::nullopt;
    for (const char c : text) {
        if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value <= most ? std::optional(value) : std::nullopt;
}

// "HH:MM[:SS]" into a day's time.
bool readClock(std::string_view text, std::tm& local) {
    const std::vector<std::string_view> parts = split(text, ':');
    if (parts.size() < 2 || parts.size() > 3) return false;
    const std::optional<int> hour = digits(parts[0], 2, 23);
    const std::optional<int> minute = digits(parts[1], 2, 59);
    const std::optional<int> second = parts.size() == 3 ? digits(parts[2], 2, 59) : std::optional(0);
    if (!hour || !minute || !second) return false;
    local.tm_hour = *hour;
    local.tm_min = *minute;
    local.tm_sec = *second;
    return true;
}

// "YYYY-MM-DD"
bool readDate(std::string_view text, std::tm& local) {
    const std::vector<std::string_view> parts = split(text, '-');
    if (parts.size() != 3 || parts[0].size() != 4) return false;
    const std::optional<int> year = digits(parts[0], 4, kLastYear);
    const std::optional<int> month = digits(parts[1], 2, 12);
    const std::optional<int> day = digits(parts[2], 2, 31);
    if (!year || *year < kFirstYear || !month || *month == 0 || !day || *day == 0) return false;
    local.tm_year = *year - 1900;
    local.tm_mon = *month - 1;
    local.tm_mday = *day;
    return true;
}

std::time_t timeOf(std::tm local) {
    local.tm_isdst = -1; // whatever holds on that day
    return std::mktime(&local);
}

// "3hours", "90": what follows "now+".
std::optional<std::int64_t> readSpan(std::string_view text) {
    const std::size_t end = text.find_first_not_of("0123456789");
    const std::string_view unit = end == std::string_view::npos ? "" : text.substr(end);
    std::uint32_t count = 0;
    if (!absl::SimpleAtoi(toAbsl(text.substr(0, end)), &count) || count > kMostUnits) return std::nullopt;
    if (unit.empty()) return count;
    for (const auto& [name, seconds] : {std::pair<std::string_view, std::int64_t>{"seconds", 1},
                                        {"minutes", 60},
                                        {"hours", 3600},
                                        {"days", 86400},
                                        {"weeks", 7 * 86400}}) {
        // "min" and "h" will do.
        if (name.substr(0, unit.size()) == unit) return count * seconds;
    }
    return std::nullopt;
}

} // namespace

absl::StatusOr<std::time_t> parseBeginTime(std::string_view text, std::time_t now) {
    const std::string lower = absl::AsciiStrToLower(toAbsl(text));
    const std::string_view word = lower;
    if (word == "now") return now;
    std::tm local{};
    ::localtime_r(&now, &local);
    if (word.substr(0, 4) == "now+") {
        const std::optional<std::int64_t> span = readSpan(word.substr(4));
        if (!span) return noTime(text);
        const std::time_t then = now + *span;
        ::localtime_r(&then, &local);
        if (local.tm_year + 1900 > kLastYear) return noTime(text);
        return then;
    }
    if (word == "today" || word == "tomorrow") {
        readClock("00:00", local);
        if (word == "tomorrow") ++local.tm_mday;
        return timeOf(local);
    }
    if (readClock(word == "noon" ? "12:00" : word == "midnight" ? "00:00" : word, local)) {
        if (timeOf(local) <= now) ++local.tm_mday; // that was today's
        return timeOf(local);
    }
    const std::size_t t = word.find('t');
    readClock("00:00", local);
    if (!readDate(word.substr(0, t), local)) return noTime(text);
    if (t != std::string_view::npos && !readClock(word.substr(t + 1), local)) return noTime(text);
    // The 30th of February is no day.
    const std::time_t then = timeOf(local);
    std::tm as_read{};
    ::localtime_r(&then, &as_read);
    if (as_read.tm_mday != local.tm_mday || as_read.tm_mon != local.tm_mon) return noTime(text);
    return then;
}

} // namespace stoa::cli
