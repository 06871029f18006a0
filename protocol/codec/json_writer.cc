#include "protocol/codec/json.h"

#include "protocol/codec/check.h"
#include "protocol/codec/shape.h"
#include "protocol/codec/words.h"
#include "protocol/utf8.h"

#include <absl/strings/escaping.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <limits>

namespace stoa {
namespace codec {
namespace {

using capnp::DynamicStruct;
using capnp::DynamicValue;
using capnp::schema::Type;

// RapidJSON's output stream over the caller's string.
class StringSink {
public:
    using Ch = char;
    explicit StringSink(std::string& out) : out_(out) {}
    // NOLINTBEGIN(readability-identifier-naming): RapidJSON's names
    void Put(char c) { out_.push_back(c); }
    void Flush() {}
    // NOLINTEND(readability-identifier-naming)

private:
    std::string& out_;
};

using TextWriter = rapidjson::Writer<StringSink>;

class JsonWriter {
public:
    JsonWriter(std::string& out, EmptyLists empty_lists) : sink_(out), writer_(sink_), empty_lists_(empty_lists) {}

    void writeStruct(const Shape& shape, DynamicStruct::Reader message) {
        writer_.StartObject();
        for (const Shape::Field& field : shape.fields()) writeField(field, message);
        writer_.EndObject();
    }

private:
    void writeField(const Shape::Field& field, DynamicStruct::Reader message) {
        if (field.value) {
            const auto group = message.get(field.field).as<DynamicStruct>();
            if (!group.has(*field.value)) return;
            const auto which = group.which();
            KJ_IF_MAYBE (active, which) {
                if (*active != *field.value) return;
                key(field.name);
                writeInside(field, group.get(*field.value));
            }
            return;
        }
        switch (field.kind) {
        case Type::TEXT:
        case Type::DATA:
        case Type::STRUCT:
            if (!message.has(field.field)) return;
            break;
        case Type::LIST:
            if (!writesList(field, message)) return;
            break;
        case Type::ENUM: {
            const std::uint16_t raw = message.get(field.field).as<capnp::DynamicEnum>().getRaw();
            // What a newer peer said and we can't name is left out, as is what nobody said.
            if (raw >= field.names->names.size() || field.names->names[raw].empty()) return;
            break;
        }
        default: break;
        }
        key(field.name);
        writeInside(field, message.get(field.field));
    }

    bool writesList(const Shape::Field& field, DynamicStruct::Reader message) const {
        // `labels: {labels: []}` was said, and is said again.
        if (!field.inside.empty()) return message.has(field.field);
        return empty_lists_ == EmptyLists::kWrite || message.get(field.field).as<capnp::DynamicList>().size() > 0;
    }

    void writeInside(const Shape::Field& field, const DynamicValue::Reader& value) {
        if (field.inside.empty()) return writeValue(field, value);
        writer_.StartObject();
        key(field.inside);
        writeValue(field, value);
        writer_.EndObject();
    }

    void writeValue(const Shape::Field& field, const DynamicValue::Reader& value) {
        if (field.kind != Type::LIST) return writeOne(field, field.kind, value);
        const auto list = value.as<capnp::DynamicList>();
        if (field.map) return writeMap(field, list);
        writer_.StartArray();
        for (const auto element : list) {
            if (field.each.empty()) {
                writeOne(field, field.element, element);
            } else {
                writer_.StartObject();
                key(field.each);
                writeOne(field, field.element, element);
                writer_.EndObject();
            }
        }
        writer_.EndArray();
    }

    void writeMap(const Shape::Field& field, capnp::DynamicList::Reader list) {
        const Shape::Field& key_field = field.shape->fields()[0];
        const Shape::Field& value_field = field.shape->fields()[1];
        writer_.StartObject();
        for (const auto element : list) {
            const auto entry = element.as<DynamicStruct>();
            key(view(entry.get(key_field.field).as<capnp::Text>()));
            if (value_field.value) {
                writeInside(value_field, entry.get(value_field.field).as<DynamicStruct>().get(*value_field.value));
            } else {
                writeInside(value_field, entry.get(value_field.field));
            }
        }
        writer_.EndObject();
    }

    void writeOne(const Shape::Field& field, Type::Which kind, const DynamicValue::Reader& value) {
        switch (kind) {
        case Type::BOOL: writer_.Bool(value.as<bool>()); break;
        case Type::INT8:
        case Type::INT16:
        case Type::INT32:
        case Type::INT64: writeInteger(field, value.as<std::int64_t>()); break;
        case Type::UINT8:
        case Type::UINT16:
        case Type::UINT32:
        case Type::UINT64: writer_.Uint64(value.as<std::uint64_t>()); break;
        case Type::ENUM: {
            const std::uint16_t raw = value.as<capnp::DynamicEnum>().getRaw();
            string(raw < field.names->names.size() ? std::string_view(field.names->names[raw]) : std::string_view());
            break;
        }
        case Type::TEXT: string(view(value.as<capnp::Text>())); break;
        case Type::DATA: string(absl::Base64Escape(toAbsl(view(value.as<capnp::Data>())))); break;
        case Type::STRUCT: writeStruct(*field.shape, value.as<DynamicStruct>()); break;
        default: malformed(field.name, "has a type that JSON has no form for");
        }
    }

    void writeInteger(const Shape::Field& field, std::int64_t value) {
        if (field.decimals == 0) {
            writer_.Int64(value);
        } else if (value == std::numeric_limits<std::int64_t>::max()) {
            string("Infinity");
        } else {
            const std::string text = decimalText(value, field.decimals);
            writer_.RawValue(text.data(), text.size(), rapidjson::kNumberType);
        }
    }

    void key(std::string_view name) {
        if (validUtf8(name)) {
            writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
        } else {
            const std::string good = repairedUtf8(name);
            writer_.Key(good.data(), static_cast<rapidjson::SizeType>(good.size()));
        }
    }
    void string(std::string_view text) {
        if (validUtf8(text)) {
            writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
        } else {
            const std::string good = repairedUtf8(text);
            writer_.String(good.data(), static_cast<rapidjson::SizeType>(good.size()));
        }
    }

    StringSink sink_;
    TextWriter writer_;
    EmptyLists empty_lists_;
};

} // namespace
} // namespace codec

absl::Status appendJson(capnp::DynamicStruct::Reader message, std::string& out, EmptyLists empty_lists) {
    return codec::decodeGuarded(
               "message",
               [&] {
                   codec::JsonWriter(out, empty_lists).writeStruct(codec::Shape::of(message.getSchema()), message);
                   return true;
               })
        .status();
}

std::string decimalText(std::int64_t value, int decimals) {
    const bool negative = value < 0;
    // In two's complement the smallest number has no positive twin.
    std::string digits =
        std::to_string(negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value));
    const auto places = static_cast<std::size_t>(decimals);
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    digits.insert(digits.size() - places, 1, '.');
    while (digits.back() == '0' && digits[digits.size() - 2] != '.') digits.pop_back();
    return negative ? "-" + digits : digits;
}

} // namespace stoa
