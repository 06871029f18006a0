#include "protocol/codec/shape.h"

#include "protocol/strings.h"

#include <absl/strings/ascii.h>

#include <memory>
#include <mutex>

namespace stoa::codec {
namespace {

// schema/wire.capnp's.
constexpr std::uint64_t kName = 0xb77bab8888736710;
constexpr std::uint64_t kNumber = 0xb1e412a9ad4aa6ac;
constexpr std::uint64_t kInside = 0x87ee4d527b5d4409;
constexpr std::uint64_t kEach = 0x91a494b966c67c46;
constexpr std::uint64_t kDecimals = 0xe1f122d656a99bb9;
constexpr std::uint64_t kMap = 0xe685ae7505c791cf;
constexpr std::uint64_t kRequired = 0xd7a8ad7789398e25;

std::string str(capnp::Text::Reader text) { return std::string(text.begin(), text.size()); }

void applyAnnotations(capnp::schema::Field::Reader proto, Shape::Field& field) {
    for (const auto annotation : proto.getAnnotations()) {
        const auto value = annotation.getValue();
        switch (annotation.getId()) {
        case kName: field.name = str(value.getText()); break;
        case kNumber: field.number = value.getUint32(); break;
        case kInside: field.inside = str(value.getText()); break;
        case kEach: field.each = str(value.getText()); break;
        case kDecimals: field.decimals = value.getUint8(); break;
        case kMap: field.map = true; break;
        case kRequired: field.required = true; break;
        default: break;
        }
    }
}

} // namespace

class ShapeRegistry {
public:
    // Never destroyed: threads may still write JSON while the process ends.
    static ShapeRegistry& instance() {
        static auto* const registry = new ShapeRegistry;
        return *registry;
    }

    const Shape& of(capnp::StructSchema schema) {
        const std::lock_guard lock(mutex_);
        return build(schema);
    }

private:
    // A struct that holds itself finds the Shape that is being filled.
    const Shape& build(capnp::StructSchema schema) {
        auto [slot, fresh] = shapes_.try_emplace(schema.getProto().getId());
        if (!fresh) return *slot->second;
        slot->second = std::make_unique<Shape>();
        Shape& shape = *slot->second;
        for (const auto field : schema.getFields()) {
            Shape::Field made = describe(field);
            made.index = shape.fields_.size();
            shape.by_name_.emplace(made.name, made.index);
            shape.fields_.push_back(std::move(made));
        }
        return shape;
    }

    Shape::Field describe(capnp::StructSchema::Field field) {
        const auto proto = field.getProto();
        Shape::Field made;
        made.name = snakeCase(str(proto.getName()));
        made.field = field;
        applyAnnotations(proto, made);
        capnp::Type type = field.getType();
        if (proto.isGroup()) {
            const capnp::StructSchema group = type.asStruct();
            made.unset = group.getFieldByName("unset");
            made.value = group.getFieldByName("value");
            type = made.value->getType();
        }
        made.kind = type.which();
        if (type.isList()) {
            type = type.asList().getElementType();
            made.element = type.which();
        }
        if (type.isStruct()) made.shape = &build(type.asStruct());
        if (type.isEnum()) made.names = &names(type.asEnum());
        return made;
    }

    const Shape::Names& names(capnp::EnumSchema schema) {
        auto [slot, fresh] = names_.try_emplace(schema.getProto().getId());
        if (!fresh) return *slot->second;
        slot->second = std::make_unique<Shape::Names>();
        Shape::Names& names = *slot->second;
        for (const auto enumerant : schema.getEnumerants()) {
            const auto proto = enumerant.getProto();
            std::string name = absl::AsciiStrToUpper(snakeCase(str(proto.getName())));
            for (const auto annotation : proto.getAnnotations()) {
                if (annotation.getId() == kName) name = str(annotation.getValue().getText());
            }
            if (enumerant.getOrdinal() == 0) name.clear();
            names.names.push_back(name);
            if (!name.empty()) names.values.emplace(std::move(name), enumerant.getOrdinal());
        }
        return names;
    }

    std::mutex mutex_;
    absl::flat_hash_map<std::uint64_t, std::unique_ptr<Shape>> shapes_;
    absl::flat_hash_map<std::uint64_t, std::unique_ptr<Shape::Names>> names_;
};

const Shape& Shape::of(capnp::StructSchema schema) { return ShapeRegistry::instance().of(schema); }

const Shape::Field* Shape::named(std::string_view name) const {
    const auto found = by_name_.find(toAbsl(name));
    return found == by_name_.end() ? nullptr : &fields_[found->second];
}

std::string snakeCase(std::string_view camel) {
    std::string snake;
    for (const char c : camel) {
        if (c >= 'A' && c <= 'Z') {
            if (!snake.empty()) snake += '_';
            snake += static_cast<char>(c - 'A' + 'a');
        } else {
            snake += c;
        }
    }
    return snake;
}

} // namespace stoa::codec
