// Messages as flat words: from a builder to bytes, and from bytes to a reader that can't be made to read for ever.
// Private to the codecs: whoever includes this pays for Cap'n Proto's headers.
//
// Reading damaged bytes throws kj::Exception wherever the damage is met, so the codecs do all their reading inside
// decodeGuarded(), which turns exceptions into a Status. Values that are well-formed but not allowed throw Malformed
// in the same way: one path out of deep nesting, and it ends at the codec's border.
#pragma once

#include "protocol/codec/limits.h"
#include "protocol/strings.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <capnp/message.h>
#include <capnp/serialize.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace stoa::codec {

// What is wrong with a message, in the words of the one who sent it.
class Malformed : public std::exception {
public:
    explicit Malformed(std::string reason, absl::StatusCode code = absl::StatusCode::kInvalidArgument)
        : reason_(std::move(reason)), code_(code) {}
    const char* what() const noexcept override { return reason_.c_str(); }
    absl::Status status() const { return absl::Status(code_, reason_); }

private:
    std::string reason_;
    absl::StatusCode code_;
};

// The builder of one message, whose first words stand on the stack: most messages need no others.
class FlatBuilder {
public:
    FlatBuilder() : message_(kj::arrayPtr(scratch_, kScratchWords)) {}
    template <class Root>
    typename Root::Builder root() {
        return message_.getRoot<Root>();
    }
    capnp::MessageBuilder& message() { return message_; }
    std::string bytes();

private:
    static constexpr std::size_t kScratchWords = 256;
    capnp::word scratch_[kScratchWords] = {};
    capnp::MallocMessageBuilder message_;
};

// A reader over bytes that must outlive it. Bytes that don't stand on a word's boundary are copied.
class FlatReader {
public:
    explicit FlatReader(std::string_view bytes, std::size_t limit = kMaxMessageBytes);
    template <class Root>
    typename Root::Reader root() {
        return reader_->getRoot<Root>();
    }

private:
    kj::Array<capnp::word> copy_;
    std::optional<capnp::FlatArrayMessageReader> reader_;
};

// `what` names the message in the reason: "agent message: …".
template <class Decode>
auto decodeGuarded(std::string_view what, Decode decode) -> absl::StatusOr<decltype(decode())> {
    try {
        return decode();
    } catch (const Malformed& malformed) {
        const absl::Status status = malformed.status();
        return absl::Status(status.code(), concat(what, ": ", status.message()));
    } catch (const kj::Exception& exception) {
        return absl::InvalidArgumentError(
            concat(what, ": damaged: ", std::string_view(exception.getDescription().cStr())));
    } catch (const std::exception& exception) {
        return absl::ResourceExhaustedError(concat(what, ": ", exception.what()));
    }
}

} // namespace stoa::codec
