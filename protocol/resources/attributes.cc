#include "protocol/resources/amount.h"
#include "protocol/resources/resources.h"
#include "protocol/resources/text.h"
#include "protocol/strings.h"

#include <algorithm>

namespace stoa {
namespace {

const Attribute* find(const Attributes& attributes, std::string_view name) {
    auto at = std::lower_bound(attributes.begin(), attributes.end(), name,
                               [](const Attribute& a, std::string_view wanted) { return a.name < wanted; });
    return at != attributes.end() && at->name == name ? &*at : nullptr;
}

// Numbers compare as numbers: speed=2.50 is speed:2.5.
bool equals(const Attribute& attribute, const std::string& value) {
    if (toString(attribute) == value) return true;
    const Milli* amount = std::get_if<Milli>(&attribute.value);
    if (amount == nullptr) return false;
    absl::StatusOr<Milli> wanted = parseAmount(value);
    return wanted.ok() && *wanted == *amount;
}

absl::StatusOr<Attribute> parseAttribute(std::string_view piece) {
    const std::size_t colon = piece.find(':');
    if (colon == std::string_view::npos) {
        return invalid("there is no colon; write name:value, as in rack:a");
    }
    std::string_view name = trimmed(piece.substr(0, colon));
    std::string_view value = trimmed(piece.substr(colon + 1));
    if (absl::Status form = checkName(name); !form.ok()) return form;
    if (value.empty()) return invalid("there is nothing after the colon");
    Attribute attribute{std::string(name), std::string(value)};
    if (value.front() == '[' && value.back() == ']') {
        absl::StatusOr<Ranges> ranges = parseRanges(value);
        if (!ranges.ok()) return ranges.status();
        attribute.value = *std::move(ranges);
    } else if (absl::StatusOr<Milli> amount = parseAmount(value); amount.ok()) {
        attribute.value = *amount; // what is no number, or too large for one, is text
    }
    return attribute;
}

} // namespace

absl::StatusOr<Attributes> parseAttributes(std::string_view text) {
    Attributes attributes;
    for (std::string_view piece : split(text, ';')) {
        if (piece.empty()) continue;
        absl::StatusOr<Attribute> attribute = parseAttribute(piece);
        if (!attribute.ok()) {
            return invalid("\"", piece, "\": ", attribute.status().message());
        }
        auto at = std::lower_bound(attributes.begin(), attributes.end(), attribute->name,
                                   [](const Attribute& a, const std::string& name) { return a.name < name; });
        if (at != attributes.end() && at->name == attribute->name) {
            return invalid("\"", piece, "\": ", attribute->name, " is given twice");
        }
        attributes.insert(at, *std::move(attribute));
    }
    return attributes;
}

std::string toString(const Attribute& attribute) {
    if (const Milli* amount = std::get_if<Milli>(&attribute.value)) return toString(*amount);
    if (const Ranges* ranges = std::get_if<Ranges>(&attribute.value)) return toString(*ranges);
    return std::get<std::string>(attribute.value);
}

absl::StatusOr<Constraint> parseConstraint(std::string_view text) {
    text = trimmed(text);
    Constraint constraint;
    std::string_view name = text;
    const std::size_t sign = text.find('=');
    if (sign != std::string_view::npos) {
        const bool negated = sign > 0 && text[sign - 1] == '!';
        name = text.substr(0, negated ? sign - 1 : sign);
        constraint.op = negated ? Constraint::Operator::kNotEquals : Constraint::Operator::kEquals;
        constraint.value = trimmed(text.substr(sign + 1));
        if (constraint.value.empty()) {
            return invalid("\"", text, "\": there is nothing to compare with after the =");
        }
    } else {
        const bool negated = text.starts_with('!');
        if (negated) name.remove_prefix(1);
        constraint.op = negated ? Constraint::Operator::kNotExists : Constraint::Operator::kExists;
    }
    name = trimmed(name);
    if (absl::Status form = checkName(name); !form.ok()) {
        return invalid("\"", text, "\": ", form.message(), "; a constraint is name=value, name!=value, name or !name");
    }
    constraint.attribute = name;
    return constraint;
}

std::string toString(const Constraint& constraint) {
    switch (constraint.op) {
    case Constraint::Operator::kEquals: return concat(constraint.attribute, "=", constraint.value);
    case Constraint::Operator::kNotEquals: return concat(constraint.attribute, "!=", constraint.value);
    case Constraint::Operator::kExists: return constraint.attribute;
    case Constraint::Operator::kNotExists: return concat("!", constraint.attribute);
    }
    return "";
}

bool satisfied(const Constraint& constraint, const Attributes& attributes) {
    const Attribute* attribute = find(attributes, constraint.attribute);
    switch (constraint.op) {
    case Constraint::Operator::kEquals: return attribute != nullptr && equals(*attribute, constraint.value);
    case Constraint::Operator::kNotEquals: return attribute == nullptr || !equals(*attribute, constraint.value);
    case Constraint::Operator::kExists: return attribute != nullptr;
    case Constraint::Operator::kNotExists: return attribute == nullptr;
    }
    return false;
}

} // namespace stoa
