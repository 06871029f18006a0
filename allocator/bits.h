// A set of dense numbers as plain 64-bit words, for what is ANDed thousands of times a turn: which agents may be
// offered, which were refused. Grows as numbers are set; what was never set is absent. A plain value.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace stoa::allocator {

class Bits {
public:
    using Word = std::uint64_t;
    static constexpr std::uint32_t kWordBits = 64;

    bool test(std::uint32_t number) const {
        const std::size_t at = number / kWordBits;
        return at < words_.size() && (words_[at] >> (number % kWordBits) & 1) != 0;
    }
    void set(std::uint32_t number) {
        const std::size_t at = number / kWordBits;
        if (at >= words_.size()) words_.resize(at + 1);
        words_[at] |= Word{1} << (number % kWordBits);
    }
    void reset(std::uint32_t number) {
        const std::size_t at = number / kWordBits;
        if (at < words_.size()) words_[at] &= ~(Word{1} << (number % kWordBits));
    }
    void assign(std::uint32_t number, bool in) { in ? set(number) : reset(number); }
    void clear() { words_.clear(); }

    std::size_t words() const { return words_.size(); }
    Word word(std::size_t at) const { return at < words_.size() ? words_[at] : 0; }
    std::uint64_t count() const {
        std::uint64_t sum = 0;
        for (Word word : words_) sum += static_cast<std::uint64_t>(std::popcount(word));
        return sum;
    }
    std::size_t bytes() const { return words_.capacity() * sizeof(Word); }

    template <class F>
    void forEach(F visit) const {
        for (std::size_t at = 0; at < words_.size(); ++at) {
            for (Word word = words_[at]; word != 0; word &= word - 1) {
                visit(static_cast<std::uint32_t>(at * kWordBits) + static_cast<std::uint32_t>(std::countr_zero(word)));
            }
        }
    }

private:
    std::vector<Word> words_;
};

} // namespace stoa::allocator
