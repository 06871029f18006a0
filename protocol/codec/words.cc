#include "protocol/codec/words.h"

#include <cstring>

namespace stoa::codec {

std::string FlatBuilder::bytes() {
    const auto segments = message_.getSegmentsForOutput();
    if (segments.size() == 1) {
        // The table of one segment is a zero (one less than its number) and its size in words.
        const std::uint32_t table[2] = {0, static_cast<std::uint32_t>(segments[0].size())};
        const auto words = segments[0].asBytes();
        std::string bytes;
        bytes.reserve(sizeof table + words.size());
        bytes.append(reinterpret_cast<const char*>(table), sizeof table);
        bytes.append(reinterpret_cast<const char*>(words.begin()), words.size());
        return bytes;
    }
    const kj::Array<capnp::word> flat = capnp::messageToFlatArray(segments);
    return std::string(reinterpret_cast<const char*>(flat.begin()), flat.size() * sizeof(capnp::word));
}

FlatReader::FlatReader(std::string_view bytes, std::size_t limit) {
    if (bytes.size() > limit) {
        throw Malformed(concat("has ", bytes.size(), " bytes, more than ", limit),
                        absl::StatusCode::kResourceExhausted);
    }
    if (bytes.size() % sizeof(capnp::word) != 0) throw Malformed("its size is no number of whole words");
    const std::size_t count = bytes.size() / sizeof(capnp::word);
    kj::ArrayPtr<const capnp::word> words;
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(capnp::word) == 0) {
        words = kj::arrayPtr(reinterpret_cast<const capnp::word*>(bytes.data()), count);
    } else {
        copy_ = kj::heapArray<capnp::word>(count);
        std::memcpy(copy_.begin(), bytes.data(), bytes.size());
        words = copy_;
    }
    // Every word is read a few times at most (a pointer's presence, then its target); overlapping pointers would make
    // it more, and that ends here.
    capnp::ReaderOptions options;
    options.traversalLimitInWords = 4 * count + 1024;
    options.nestingLimit = kMaxNesting;
    reader_.emplace(words, options);
}

} // namespace stoa::codec
