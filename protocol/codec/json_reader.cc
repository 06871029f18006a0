#include "protocol/codec/check.h"
#include "protocol/codec/json.h"
#include "protocol/codec/shape.h"
#include "protocol/codec/words.h"

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

namespace stoa {
namespace codec {
namespace {

using capnp::DynamicStruct;
using capnp::DynamicValue;
using capnp::schema::Type;
using Json = rapidjson::Value;

constexpr std::int64_t kMaxInt = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMinInt = std::numeric_limits<std::int64_t>::min();

std::string_view view(const Json& text) { return {text.GetString(), text.GetStringLength()}; }

// Where the reader stands, as the parts of a path; put together only for an error.
class Path {
public:
    Path() = default;
    Path(const Path& above, std::string_view name) : above_(&above), name_(name), depth_(above.depth_ + 1) {}
    Path(const Path& above, std::size_t index) : above_(&above), index_(index), depth_(above.depth_) {}

    int depth() const { return depth_; }
    [[noreturn]] void fail(std::string_view what) const { malformed(text(), what); }
    [[noreturn]] void expected(std::string_view what) const { fail(concat("expected ", what)); }

private:
    std::string text() const {
        if (above_ == nullptr) return "the message";
        const std::string above = above_->above_ == nullptr ? std::string() : above_->text();
        if (index_) return concat(above, "[", *index_, "]");
        return above.empty() ? std::string(name_) : concat(above, ".", name_);
    }

    const Path* above_ = nullptr;
    std::string_view name_;
    std::optional<std::size_t> index_;
    int depth_ = 0;
};

bool readBool(const Json& json, const Path& path) {
    if (json.IsBool()) return json.GetBool();
    if (json.IsString() && view(json) == "true") return true;
    if (json.IsString() && view(json) == "false") return false;
    path.expected("true or false");
}

double scaled(double value, int decimals) { return value * std::pow(10.0, decimals); }

// A number with decimals as an integer of its smallest unit, rounded; "Infinity" is the greatest.
std::int64_t readDecimal(const Json& json, int decimals, const Path& path) {
    double value = 0;
    if (json.IsNumber()) {
        value = json.GetDouble();
    } else if (!json.IsString() || !absl::SimpleAtod(toAbsl(view(json)), &value) || std::isnan(value)) {
        path.expected("a number");
    }
    if (std::isinf(value)) return value > 0 ? kMaxInt : kMinInt;
    const double amount = std::nearbyint(scaled(value, decimals));
    // The doubles next to 2^63: what is smaller fits.
    if (amount >= 9.2233720368547748e18 || amount <= -9.2233720368547748e18) path.fail("is too large");
    return static_cast<std::int64_t>(amount);
}

std::int64_t readSigned(const Json& json, std::int64_t low, std::int64_t high, const Path& path) {
    std::int64_t value = 0;
    if (json.IsInt64()) {
        value = json.GetInt64();
    } else if (json.IsDouble() && std::trunc(json.GetDouble()) == json.GetDouble() &&
               std::abs(json.GetDouble()) < 9e18) {
        value = static_cast<std::int64_t>(json.GetDouble());
    } else if (json.IsNumber()) {
        path.fail("is no whole number in range");
    } else if (!json.IsString() || !absl::SimpleAtoi(toAbsl(view(json)), &value)) {
        path.expected("a whole number");
    }
    if (value < low || value > high) path.fail(concat(value, " is out of range"));
    return value;
}

std::uint64_t readUnsigned(const Json& json, std::uint64_t high, const Path& path) {
    std::uint64_t value = 0;
    if (json.IsUint64()) {
        value = json.GetUint64();
    } else if (json.IsDouble() && std::trunc(json.GetDouble()) == json.GetDouble() && json.GetDouble() >= 0 &&
               json.GetDouble() < 1.8e19) {
        value = static_cast<std::uint64_t>(json.GetDouble());
    } else if (json.IsNumber()) {
        path.fail("is no whole number in range");
    } else if (!json.IsString() || !absl::SimpleAtoi(toAbsl(view(json)), &value)) {
        path.expected("a whole number that is not negative");
    }
    if (value > high) path.fail(concat(value, " is out of range"));
    return value;
}

template <class Integer>
DynamicValue::Reader signedValue(const Json& json, const Path& path) {
    using Limits = std::numeric_limits<Integer>;
    return static_cast<Integer>(readSigned(json, Limits::min(), Limits::max(), path));
}

template <class Integer>
DynamicValue::Reader unsignedValue(const Json& json, const Path& path) {
    return static_cast<Integer>(readUnsigned(json, std::numeric_limits<Integer>::max(), path));
}

// Where one value goes: a field, or an element of a list.
struct FieldTarget {
    DynamicStruct::Builder message;
    capnp::StructSchema::Field field;
    void set(const DynamicValue::Reader& value) { message.set(field, value); }
    DynamicStruct::Builder child() { return message.init(field).as<DynamicStruct>(); }
};
struct ElementTarget {
    capnp::DynamicList::Builder list;
    unsigned index;
    void set(const DynamicValue::Reader& value) { list.set(index, value); }
    DynamicStruct::Builder child() { return list[index].as<DynamicStruct>(); }
};

class JsonReader {
public:
    void readStruct(const Shape& shape, const Json& json, DynamicStruct::Builder out, const Path& path) {
        if (!json.IsObject()) path.expected("an object");
        if (path.depth() > kMaxNesting) path.fail("is nested too deeply");
        // By field: whether a value was given; an enum of a name that we don't know was not.
        std::vector<bool> given(shape.fields().size());
        for (const auto& member : json.GetObject()) {
            const Shape::Field* field = shape.named(view(member.name));
            if (field == nullptr) continue;
            const Path below(path, field->name);
            given[field->index] = readField(*field, member.value, out, below);
        }
        for (const Shape::Field& field : shape.fields()) {
            if (field.required && !given[field.index]) Path(path, field.name).fail("missing");
        }
    }

private:
    bool readField(const Shape::Field& field, const Json& json, DynamicStruct::Builder out, const Path& path) {
        if (json.IsNull()) {
            clear(field, out);
            return false;
        }
        if (field.inside.empty()) return readValue(field, json, out, path);
        if (!json.IsObject()) path.expected("an object");
        // Of duplicate keys the last one counts.
        const Json* inner = nullptr;
        for (const auto& member : json.GetObject()) {
            if (view(member.name) == field.inside) inner = &member.value;
        }
        const Path below(path, field.inside);
        if (inner == nullptr || inner->IsNull()) {
            if (field.kind != Type::LIST) below.fail("missing");
            out.init(field.field, 0);
            return true;
        }
        return readValue(field, *inner, out, below);
    }

    void clear(const Shape::Field& field, DynamicStruct::Builder out) {
        if (field.value) {
            out.get(field.field).as<DynamicStruct>().set(*field.unset, capnp::VOID);
        } else {
            out.clear(field.field);
        }
    }

    bool readValue(const Shape::Field& field, const Json& json, DynamicStruct::Builder out, const Path& path) {
        if (field.map) {
            readMap(field, json, out, path);
        } else if (field.kind == Type::LIST) {
            readList(field, json, out, path);
        } else if (field.value) {
            FieldTarget target{out.get(field.field).as<DynamicStruct>(), *field.value};
            return readOne(field, field.kind, json, target, path);
        } else {
            FieldTarget target{out, field.field};
            return readOne(field, field.kind, json, target, path);
        }
        return true;
    }

    void readList(const Shape::Field& field, const Json& json, DynamicStruct::Builder out, const Path& path) {
        const unsigned size = json.IsArray() ? json.Size() : 1;
        auto list = out.init(field.field, size).as<capnp::DynamicList>();
        for (unsigned i = 0; i < size; ++i) {
            const Path below(path, i);
            const Json& element = json.IsArray() ? json[i] : json;
            ElementTarget target{list, i};
            if (field.each.empty()) {
                readOne(field, field.element, element, target, below);
                continue;
            }
            if (!element.IsObject()) below.expected("an object");
            const Path inner(below, field.each);
            const auto member =
                element.FindMember(Json(field.each.data(), static_cast<rapidjson::SizeType>(field.each.size())));
            // A capability without a type is one that we don't know.
            if (member == element.MemberEnd() || member->value.IsNull()) {
                if (field.element != Type::ENUM) inner.fail("missing");
                continue;
            }
            readOne(field, field.element, member->value, target, inner);
        }
    }

    void readMap(const Shape::Field& field, const Json& json, DynamicStruct::Builder out, const Path& path) {
        if (!json.IsObject()) path.expected("an object");
        const Shape::Field& key_field = field.shape->fields()[0];
        const Shape::Field& value_field = field.shape->fields()[1];
        auto list = out.init(field.field, json.MemberCount()).as<capnp::DynamicList>();
        unsigned i = 0;
        for (const auto& member : json.GetObject()) {
            auto entry = list[i++].as<DynamicStruct>();
            entry.set(key_field.field, asText(view(member.name)));
            readField(value_field, member.value, entry, Path(path, view(member.name)));
        }
    }

    // False when the value counts as unset.
    template <class Target>
    bool readOne(const Shape::Field& field, Type::Which kind, const Json& json, Target& target, const Path& path) {
        switch (kind) {
        case Type::BOOL: target.set(readBool(json, path)); return true;
        case Type::INT8: target.set(signedValue<std::int8_t>(json, path)); return true;
        case Type::INT16: target.set(signedValue<std::int16_t>(json, path)); return true;
        case Type::INT32: target.set(signedValue<std::int32_t>(json, path)); return true;
        case Type::INT64:
            if (field.decimals > 0) {
                target.set(readDecimal(json, field.decimals, path));
            } else {
                target.set(signedValue<std::int64_t>(json, path));
            }
            return true;
        case Type::UINT8: target.set(unsignedValue<std::uint8_t>(json, path)); return true;
        case Type::UINT16: target.set(unsignedValue<std::uint16_t>(json, path)); return true;
        case Type::UINT32: target.set(unsignedValue<std::uint32_t>(json, path)); return true;
        case Type::UINT64: target.set(unsignedValue<std::uint64_t>(json, path)); return true;
        case Type::ENUM: {
            if (!json.IsString()) path.expected("a name");
            const auto found = field.names->values.find(toAbsl(view(json)));
            const std::uint16_t value = found == field.names->values.end() ? 0 : found->second;
            target.set(capnp::DynamicEnum(enumOf(field), value));
            return value != 0;
        }
        case Type::TEXT:
            if (!json.IsString()) path.expected("a string");
            target.set(asText(view(json)));
            return true;
        case Type::DATA: {
            std::string bytes;
            if (!json.IsString() || !absl::Base64Unescape(toAbsl(view(json)), &bytes)) path.expected("base64");
            target.set(asData(bytes));
            return true;
        }
        case Type::STRUCT: readStruct(*field.shape, json, target.child(), path); return true;
        default: path.fail("has a type that JSON has no form for");
        }
    }

    static capnp::EnumSchema enumOf(const Shape::Field& field) {
        const capnp::Type type = field.value ? field.value->getType() : field.field.getType();
        return type.isList() ? type.asList().getElementType().asEnum() : type.asEnum();
    }
};

} // namespace
} // namespace codec

absl::Status readJson(std::string_view text, capnp::DynamicStruct::Builder message, std::size_t limit) {
    if (text.size() > limit) {
        return absl::ResourceExhaustedError(concat("JSON: has ", text.size(), " bytes, more than ", limit));
    }
    // The parser works in place and takes a NUL for the end.
    std::string scratch(text);
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
        return invalid("JSON: has a NUL at byte ", nul);
    }
    rapidjson::Document document;
    // Iterative, so that no nesting can use up the stack.
    constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                                rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag;
    document.ParseInsitu<kFlags>(scratch.data());
    if (document.HasParseError()) {
        return invalid("not JSON: ", std::string_view(rapidjson::GetParseError_En(document.GetParseError())),
                       " At byte ", document.GetErrorOffset(), ".");
    }
    try {
        codec::JsonReader().readStruct(codec::Shape::of(message.getSchema()), document, message, codec::Path());
    } catch (const codec::Malformed& malformed) {
        return malformed.status();
    } catch (const kj::Exception& exception) {
        return invalid("JSON: ", std::string_view(exception.getDescription().cStr()));
    } catch (const std::exception& exception) {
        return absl::ResourceExhaustedError(concat("JSON: ", exception.what()));
    }
    return absl::OkStatus();
}

} // namespace stoa
