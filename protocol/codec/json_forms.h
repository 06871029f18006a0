// Between checked structs and JSON, by way of a message of the schema: what the codecs of whole messages have in common.
//
//   return jsonOf<schema::Event>([&](auto out) { writeEvent(event, out); });
//   return fromJson<schema::Event>(text, "event", readEvent);
//
// Private to the codecs. Pure functions, usable from any thread.
#pragma once

#include "protocol/codec/json.h"
#include "protocol/codec/words.h"

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa::codec {

// What we have built ourselves is not damaged, so that writing it can't fail.
template <class Root, class Write>
std::string jsonOf(Write write) {
    FlatBuilder builder;
    auto root = builder.root<Root>();
    write(root);
    std::string out;
    appendJson(root.asReader(), out).IgnoreError();
    return out;
}

template <class Root, class Read>
auto fromJson(std::string_view text, std::string_view what, Read read)
    -> absl::StatusOr<decltype(read(typename Root::Reader()))> {
    FlatBuilder builder;
    auto root = builder.root<Root>();
    if (absl::Status status = readJson(text, root); !status.ok()) return status;
    return decodeGuarded(what, [&] { return read(root.asReader()); });
}

} // namespace stoa::codec
