#include "protocol/http/records.h"

#include <algorithm>

namespace stoa::http {

bool RecordReader::feed(std::string_view piece) {
    while (!piece.empty()) {
        if (!in_record_) {
            const char c = piece.front();
            piece.remove_prefix(1);
            if (c == '\n' && has_digit_) {
                in_record_ = true;
            } else if (c >= '0' && c <= '9') {
                has_digit_ = true;
                wanted_ = wanted_ * 10 + static_cast<std::size_t>(c - '0');
                if (wanted_ > kLongest) return false;
            } else {
                return false;
            }
        }
        if (!in_record_) continue;
        const std::size_t taken = std::min(piece.size(), wanted_ - partial_.size());
        partial_.append(piece.substr(0, taken));
        piece.remove_prefix(taken);
        if (partial_.size() < wanted_) continue;
        records_.push_back(std::exchange(partial_, {}));
        wanted_ = 0;
        in_record_ = has_digit_ = false;
    }
    return true;
}

} // namespace stoa::http
