#include "tests/sim/whatif/spans.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <utility>

namespace stoa::sim {

namespace {

constexpr std::array<std::pair<std::string_view, double>, 7> kUnits = {
    {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}, {"", 1}}};

std::optional<double> unitOf(std::string_view name) {
    for (const auto& [unit, seconds] : kUnits) {
        if (unit == name) return seconds;
    }
    return std::nullopt;
}

// A run of digits with a point at most; nothing that strtod takes besides (signs, "inf", "0x1").
std::optional<double> takeNumber(std::string_view& text) {
    const std::size_t length = std::min(text.find_first_not_of("0123456789."), text.size());
    double value = 0;
    if (length == 0 || !absl::SimpleAtod(toAbsl(text.substr(0, length)), &value)) return std::nullopt;
    text.remove_prefix(length);
    return value;
}

// "[D-]HH:MM:SS"
std::optional<double> clockSpan(std::string_view text) {
    double days = 0;
    if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
        std::string_view piece = text.substr(0, dash);
        const std::optional<double> value = takeNumber(piece);
        if (!value || !piece.empty()) return std::nullopt;
        days = *value;
        text.remove_prefix(dash + 1);
    }
    const std::vector<std::string_view> pieces = split(text, ':');
    if (pieces.size() != 3) return std::nullopt;
    double seconds = 0;
    for (std::string_view piece : pieces) {
        const std::optional<double> value = takeNumber(piece);
        if (!value || !piece.empty()) return std::nullopt;
        seconds = seconds * 60 + *value;
    }
    return days * 86400 + seconds;
}

std::optional<double> unitSpan(std::string_view text) {
    double seconds = 0;
    const bool bare = text.find_first_not_of("0123456789.") == std::string_view::npos;
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        const std::optional<double> value = takeNumber(text);
        if (!value) return std::nullopt;
        const std::size_t length = std::min(text.find_first_of("0123456789."), text.size());
        const std::string_view name = text.substr(0, length);
        const std::optional<double> unit = unitOf(name);
        if (!unit || (name.empty() && !bare)) return std::nullopt;
        seconds += *value * *unit;
        text.remove_prefix(length);
    }
    return seconds;
}

// Milliseconds are exact, so that figures made by hand come out.
Duration ofSeconds(double seconds) {
    return std::chrono::microseconds(static_cast<std::int64_t>(std::llround(seconds * 1e6)));
}

} // namespace

absl::StatusOr<Duration> parseSpan(std::string_view text, bool forever) {
    if (forever && text == "forever") return kForever;
    const std::optional<double> seconds = text.find(':') != std::string_view::npos ? clockSpan(text) : unitSpan(text);
    if (!seconds) {
        return invalid("\"", text, "\" is no time; write seconds (90), 250ms, 90s, 10m, 1h30m, 2d or 01:30:00",
                       forever ? ", or forever" : "");
    }
    if (*seconds > secondsOf(kLongestSpan)) return invalid("\"", text, "\" is more than 100 years");
    return ofSeconds(*seconds);
}

absl::StatusOr<Duration> parseMoment(std::string_view text) {
    if (text.size() < 10 || text[4] != '-') return parseSpan(text);
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    char between = 'T';
    char rest = 0;
    const int read = std::sscanf(std::string(text).c_str(), "%4d-%2u-%2u%c%2u:%2u:%2u%c", &year, &month, &day, &between,
                                 &hour, &minute, &second, &rest);
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    if ((read != 3 && read != 7 && (read != 8 || rest != 'Z')) || (between != 'T' && between != ' ') || !date.ok() ||
        hour > 23 || minute > 59 || second > 60 || year < 1970 || year > 2069) {
        return invalid("\"", text, "\" is no date; write 2026-03-01T08:00:00 (UTC), or seconds since some beginning");
    }
    return std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second);
}

std::string showSpan(Duration span) {
    if (span == kForever) return "forever";
    const std::string sign = span < Duration::zero() ? "-" : "";
    const double exact = std::abs(secondsOf(span));
    const auto seconds = static_cast<std::int64_t>(std::llround(exact));
    if (exact == 0) return "0s";
    if (exact < 0.001) return sign + "<1ms";
    if (exact < 1) return concat(sign, static_cast<std::int64_t>(std::llround(exact * 1000)), "ms");
    if (seconds < 10 && exact != static_cast<double>(seconds)) return sign + absl::StrFormat("%.1fs", exact);
    if (seconds < 60) return concat(sign, seconds, "s");
    if (seconds < 3600) return sign + absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
    if (seconds < 86400) return sign + absl::StrFormat("%dh%02dm", seconds / 3600, seconds % 3600 / 60);
    return sign + absl::StrFormat("%dd%02dh", seconds / 86400, seconds % 86400 / 3600);
}

} // namespace stoa::sim
