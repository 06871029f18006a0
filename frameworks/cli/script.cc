#include "frameworks/cli/script.h"

#include "protocol/strings.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

#include <csignal>
#include <cstring>

namespace stoa::cli {

namespace {

constexpr int kLastSignal = 64;

int signalNamed(std::string_view name) {
    int number = 0;
    if (absl::SimpleAtoi(toAbsl(name), &number)) return number >= 1 && number <= kLastSignal ? number : 0;
    std::string upper = absl::AsciiStrToUpper(toAbsl(name));
    if (upper.rfind("SIG", 0) == 0) upper.erase(0, 3);
    for (int signal = 1; signal < NSIG; ++signal) {
        const char* its = ::sigabbrev_np(signal);
        if (its != nullptr && upper == its) return signal;
    }
    return 0;
}

absl::Status noTime(std::string_view text) {
    return invalid("\"", text, "\" is no time; write minutes, hours:minutes:seconds, days-hours or 90s, 10m, 2h");
}

} // namespace

absl::StatusOr<std::vector<std::string>> splitWords(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote != 0 && c == quote) {
            quote = 0;
        } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
            word += line[++i];
            in_word = true;
        } else if (quote != 0) {
            word += c;
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (absl::ascii_isspace(static_cast<unsigned char>(c))) {
            if (in_word) words.push_back(std::exchange(word, ""));
            in_word = false;
        } else if (c == '#' && !in_word) {
            break;
        } else {
            word += c;
            in_word = true;
        }
    }
    if (quote != 0) return invalid("a quotation mark (", std::string(1, quote), ") is not closed");
    if (in_word) words.push_back(word);
    return words;
}

absl::StatusOr<std::vector<Directive>> directivesOf(std::string_view script) {
    std::vector<Directive> directives;
    int number = 0;
    while (!script.empty()) {
        ++number;
        const std::size_t end = std::min(script.find('\n'), script.size());
        std::string_view line = script.substr(0, end);
        script.remove_prefix(std::min(end + 1, script.size()));
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (trimmed(line).empty()) continue;
        if (line.front() != '#') break;
        for (const auto& [mark, dialect] :
             {std::pair<std::string_view, Directive::Dialect>{"#STOA", Directive::Dialect::kStoa},
              {"#SBATCH", Directive::Dialect::kSlurm}}) {
            if (line.substr(0, mark.size()) != mark) continue;
            const std::string_view rest = line.substr(mark.size());
            if (!rest.empty() && rest.front() != ' ' && rest.front() != '\t') continue; // "#STOAX" is a comment
            absl::StatusOr<std::vector<std::string>> words = splitWords(rest);
            if (!words.ok()) return invalid("line ", number, ": ", toStd(words.status().message()));
            directives.push_back({dialect, number, *std::move(words)});
        }
    }
    return directives;
}

absl::StatusOr<double> parseTimeLimit(std::string_view text) {
    const std::string lower = absl::AsciiStrToLower(toAbsl(text));
    if (lower == "unlimited" || lower == "infinite") return 0.0;
    if (lower.empty()) return noTime(text);
    double seconds = 0;
    if (absl::ascii_isalpha(static_cast<unsigned char>(lower.back()))) {
        double unit = 0;
        switch (lower.back()) {
        case 's': unit = 1; break;
        case 'm': unit = 60; break;
        case 'h': unit = 3600; break;
        case 'd': unit = 86400; break;
        default: return noTime(text);
        }
        double amount = 0;
        if (!absl::SimpleAtod(lower.substr(0, lower.size() - 1), &amount) || !(amount >= 0) || amount > 1e9) {
            return noTime(text);
        }
        return amount * unit;
    }
    std::string_view rest = text;
    const std::size_t dash = rest.find('-');
    auto number = [&](std::string_view digits, double& value) {
        std::uint32_t parsed = 0;
        if (digits.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(digits.front())) ||
            !absl::SimpleAtoi(toAbsl(digits), &parsed)) {
            return false;
        }
        value = parsed;
        return true;
    };
    if (dash != std::string_view::npos) {
        double days = 0;
        if (!number(rest.substr(0, dash), days)) return noTime(text);
        seconds = days * 86400;
        rest.remove_prefix(dash + 1);
    }
    const std::vector<std::string_view> parts = split(rest, ':');
    if (parts.size() > 3) return noTime(text);
    // Behind days come hours; alone, one or two parts are minutes and seconds.
    double unit = dash != std::string_view::npos || parts.size() == 3 ? 3600 : 60;
    for (const std::string_view part : parts) {
        double value = 0;
        if (!number(part, value)) return noTime(text);
        seconds += value * unit;
        unit /= 60;
    }
    return seconds;
}

absl::StatusOr<Warning> parseWarning(std::string_view text) {
    Warning warning;
    std::string_view rest = text;
    if (rest.substr(0, 2) == "B:" || rest.substr(0, 2) == "R:") rest.remove_prefix(2);
    const std::size_t at = rest.find('@');
    warning.signal = signalNamed(rest.substr(0, at));
    if (warning.signal == 0) {
        return invalid("\"", text, "\": \"", rest.substr(0, at), "\" is no signal; write USR1@60 or 10@60");
    }
    if (at != std::string_view::npos && (!absl::SimpleAtod(toAbsl(rest.substr(at + 1)), &warning.seconds) ||
                                         !(warning.seconds >= 0) || warning.seconds > 65535)) {
        return invalid("\"", text, "\": \"", rest.substr(at + 1), "\" is no number of seconds up to 65535");
    }
    return warning;
}

} // namespace stoa::cli
