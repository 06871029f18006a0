#include "frameworks/cli/slurm_words.h"

#include <algorithm>

namespace stoa::cli {

std::optional<SlurmWords::Option> SlurmWords::next() {
    if (letter_ > 0) return shortOption();
    if (at_ == words_.size()) return std::nullopt;
    const std::string& word = words_[at_];
    if (word == "--") {
        ++at_;
        return std::nullopt;
    }
    if (word.size() < 2 || word.front() != '-') return std::nullopt;
    if (word[1] == '-') {
        ++at_;
        return longOption(word);
    }
    letter_ = 1;
    return shortOption();
}

SlurmWords::Option SlurmWords::longOption(const std::string& word) {
    const std::size_t equals = word.find('=');
    Option option;
    option.as_written = word.substr(0, equals);
    option.name = option.as_written.substr(2);
    const auto* known =
        std::find_if(options_.begin(), options_.end(), [&](const SlurmOption& one) { return one.name == option.name; });
    if (known == options_.end()) {
        option.problem = "is no option";
        return option;
    }
    option.known = true;
    if (equals != std::string::npos) {
        if (!known->takes_value && !known->may_take_value) option.problem = "takes no value";
        option.value = word.substr(equals + 1);
    } else if (known->takes_value) {
        if (at_ == words_.size()) {
            option.problem = "needs a value";
        } else {
            option.value = words_[at_++];
        }
    }
    return option;
}

SlurmWords::Option SlurmWords::shortOption() {
    const std::string& word = words_[at_];
    const char letter = word[letter_++];
    Option option;
    option.as_written = std::string("-") + letter;
    const bool last = letter_ == word.size();
    auto passWord = [&] {
        ++at_;
        letter_ = 0;
    };
    const auto* known =
        std::find_if(options_.begin(), options_.end(), [&](const SlurmOption& one) { return one.letter == letter; });
    if (known == options_.end()) {
        option.problem = "is no option";
        passWord();
        return option;
    }
    option.known = true;
    option.name = std::string(known->name);
    if (!known->takes_value) {
        if (last) passWord();
        return option;
    }
    if (!last) {
        option.value = word.substr(letter_);
        if (option.value.front() == '=') option.value.erase(0, 1);
        passWord();
        return option;
    }
    passWord();
    if (at_ == words_.size()) {
        option.problem = "needs a value";
    } else {
        option.value = words_[at_++];
    }
    return option;
}

void SlurmWords::skipValue() {
    if (letter_ == 0 && at_ < words_.size() && words_[at_].find('-') != 0) ++at_;
}

} // namespace stoa::cli
