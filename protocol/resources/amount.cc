#include "protocol/resources/amount.h"

#include "protocol/strings.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace stoa {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }

absl::Status tooLarge(std::string_view text) {
    return invalid("\"", text, "\" is too large: the most is ", toString(kLargestAmount));
}

// Digits with at most one point, exactly. Absent: it isn't that. More than the largest: clipped just above it.
std::optional<Milli> parseDecimal(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    std::int64_t count = 0;
    int decimals = -1; // how many were seen; -1: no point yet
    bool digits = false;
    bool round_up = false;
    for (char c : text) {
        if (c == '.') {
            if (decimals >= 0) return std::nullopt;
            decimals = 0;
            continue;
        }
        if (!isDigit(c)) return std::nullopt;
        digits = true;
        if (decimals == 3) {
            round_up = c >= '5';
            decimals = 4;
        } else if (decimals < 3) {
            if (count <= kLargestAmount.count) count = count * 10 + (c - '0');
            if (decimals >= 0) ++decimals;
        }
    }
    if (!digits) return std::nullopt;
    for (int i = decimals < 0 ? 0 : decimals; i < 3; ++i) {
        if (count <= kLargestAmount.count) count *= 10;
    }
    if (round_up) ++count;
    return Milli{negative ? -count : count};
}

} // namespace

absl::StatusOr<Milli> parseAmount(std::string_view text) {
    if (std::optional<Milli> exact = parseDecimal(text)) {
        if (*exact > kLargestAmount || exact->count < -kLargestAmount.count) return tooLarge(text);
        return *exact;
    }
    double value = 0;
    auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) return tooLarge(text);
    if (error != std::errc() || rest != text.data() + text.size() || !std::isfinite(value)) {
        return invalid("\"", text, "\" is not a number");
    }
    absl::StatusOr<Milli> amount = amountOf(value);
    if (!amount.ok()) return tooLarge(text);
    return amount;
}

absl::StatusOr<Milli> amountOf(double value) {
    if (std::isnan(value)) return invalid("not a number");
    if (std::abs(value) > toDouble(kLargestAmount)) return tooLarge(concat(value));
    return Milli{std::llround(value * 1000)};
}

std::string toString(Milli amount) {
    // The magnitude without sign, which the lowest integer has no positive of.
    const std::uint64_t magnitude =
        amount.count < 0 ? 0 - static_cast<std::uint64_t>(amount.count) : static_cast<std::uint64_t>(amount.count);
    std::string text = concat(amount.count < 0 ? "-" : "", magnitude / 1000);
    if (std::uint64_t rest = magnitude % 1000; rest != 0) {
        std::string decimals = concat(1000 + rest); // "1005": three digits behind a one
        while (decimals.back() == '0') decimals.pop_back();
        text += '.';
        text.append(decimals, 1);
    }
    return text;
}

} // namespace stoa
