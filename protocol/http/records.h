// How records stand in a stream of the Mesos v1 API ("RecordIO"): the length in decimal digits, a line feed, the bytes.
//
//   stream.write(asRecord(json));                                        // one chunk
//   RecordReader reader;
//   .on_data = [&](std::string_view piece) { return reader.feed(piece) … reader.take() … }
//
// The reader takes pieces as they arrive, however they are cut. One stream each, one thread.
#pragma once

#include "protocol/strings.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::http {

inline std::string asRecord(std::string_view bytes) { return concat(bytes.size(), "\n", bytes); }

class RecordReader {
public:
    // A longer record is none of ours.
    static constexpr std::size_t kLongest = std::size_t{16} << 20;

    // False when this is no such stream; nothing more can be read from it then.
    bool feed(std::string_view piece);
    // Those that are whole, in order.
    std::vector<std::string> take() { return std::exchange(records_, {}); }

private:
    std::size_t wanted_ = 0; // of the record that is being read
    bool in_record_ = false;
    bool has_digit_ = false;
    std::string partial_;
    std::vector<std::string> records_;
};

} // namespace stoa::http
