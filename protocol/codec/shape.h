// How a schema's struct looks in the other encodings: for each field its name there, its number, and what to do with
// its value, worked out once from the annotations of schema/wire.capnp and kept for the process's life. The JSON
// writer and reader walk Shapes; nothing else knows a message's fields.
// Shapes are immutable; of() may be called from any thread.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <capnp/dynamic.h>
#include <capnp/schema.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::codec {

class Shape {
public:
    // An enum's names, by enumerant; that of 0 (unset) is empty.
    struct Names {
        std::vector<std::string> names;
        absl::flat_hash_map<std::string, std::uint16_t> values;
    };

    struct Field {
        std::string name;
        capnp::StructSchema::Field field;
        capnp::schema::Type::Which kind{};    // of the value: of an optional primitive what `value` holds
        capnp::schema::Type::Which element{}; // of a list
        // Of an optional primitive: the members of its union.
        std::optional<capnp::StructSchema::Field> value;
        std::optional<capnp::StructSchema::Field> unset;
        const Shape* shape = nullptr; // of a struct, or of a list's elements
        const Names* names = nullptr; // of an enum, or of a list's elements
        std::string inside;
        std::string each;
        int decimals = 0;
        bool map = false;
        bool required = false;
        std::uint32_t number = 0;
        std::size_t index = 0; // in fields()
    };

    static const Shape& of(capnp::StructSchema schema);

    const std::vector<Field>& fields() const { return fields_; }
    const Field* named(std::string_view name) const;

private:
    friend class ShapeRegistry;
    std::vector<Field> fields_;
    absl::flat_hash_map<std::string, std::size_t> by_name_;
};

// "taskInfos" to "task_infos".
std::string snakeCase(std::string_view camel);

} // namespace stoa::codec
