#include "frameworks/sdk/flags.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <optional>
#include <type_traits>

namespace stoa::sdk {

namespace {

std::string show(const Flags::Variable& variable) {
    return std::visit(
        [](const auto* value) -> std::string {
            using T = std::decay_t<decltype(*value)>;
            if constexpr (std::is_same_v<T, bool>) {
                return *value ? "true" : "false";
            } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
                std::string all;
                for (const std::string& item : *value) all += concat(all.empty() ? "" : ",", item);
                return all;
            } else {
                return concat(*value);
            }
        },
        variable);
}

} // namespace

absl::Status Flags::set(const Flag& flag, std::string_view value) {
    auto no = [&](const char* what) { return invalid("--", flag.name, ": \"", value, "\" is no ", what); };
    return std::visit(
        [&](auto* variable) -> absl::Status {
            using T = std::decay_t<decltype(*variable)>;
            if constexpr (std::is_same_v<T, std::string>) {
                *variable = value;
            } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
                variable->emplace_back(value);
            } else if constexpr (std::is_same_v<T, bool>) {
                if (!absl::SimpleAtob(toAbsl(value), variable)) return no("true or false");
            } else if constexpr (std::is_same_v<T, double>) {
                if (!absl::SimpleAtod(toAbsl(value), variable)) return no("number");
            } else {
                T number = 0;
                if (!absl::SimpleAtoi(toAbsl(value), &number)) {
                    return no(std::is_unsigned_v<T> ? "whole number from 0 on, or too large"
                                                    : "whole number, or too large");
                }
                *variable = number;
            }
            return absl::OkStatus();
        },
        flag.variable);
}

absl::Status Flags::parse(const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (!argument.starts_with("--") || argument.size() == 2) {
            return invalid("\"", argument, "\" is no flag; flags begin with --");
        }
        const std::size_t equals = argument.find('=');
        const std::string_view name =
            equals == std::string_view::npos ? argument.substr(2) : argument.substr(2, equals - 2);
        const auto flag = std::find_if(flags_.begin(), flags_.end(), [&](const Flag& f) { return f.name == name; });
        if (flag == flags_.end()) return invalid("there is no flag --", name, "; --help lists those that there are");
        std::optional<std::string_view> value;
        if (equals != std::string_view::npos) {
            value = argument.substr(equals + 1);
        } else if (std::holds_alternative<bool*>(flag->variable)) {
            value = "true";
        } else if (i + 1 < arguments.size()) {
            value = arguments[++i];
        }
        if (!value) return invalid("--", name, " wants a value: --", name, "=…");
        if (absl::Status status = set(*flag, *value); !status.ok()) return status;
    }
    return absl::OkStatus();
}

std::string Flags::usage() const {
    std::vector<std::string> left;
    std::size_t widest = 0;
    for (const Flag& flag : flags_) {
        left.push_back(concat("  --", flag.name, "=", show(flag.variable)));
        widest = std::max(widest, left.back().size());
    }
    std::string text;
    for (std::size_t i = 0; i < flags_.size(); ++i) {
        text += concat(left[i], std::string(widest + 2 - left[i].size(), ' '), flags_[i].help, "\n");
    }
    return text;
}

} // namespace stoa::sdk
