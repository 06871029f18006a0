#include "master/doors/questions.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace stoa::master {

Questions::Questions() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool Questions::ask(Question question) {
    {
        std::lock_guard lock(mutex_);
        if (waiting_.size() >= kMostQuestions) return false;
        waiting_.push_back(std::move(question));
    }
    const std::uint64_t one = 1;
    // Only a full counter could refuse, and then the descriptor is readable as it should be.
    [[maybe_unused]] ssize_t n = ::write(event_.get(), &one, sizeof one);
    return true;
}

bool Questions::any() const {
    std::lock_guard lock(mutex_);
    return !waiting_.empty();
}

void Questions::answerAll(const Glance& glance) {
    std::uint64_t count = 0;
    [[maybe_unused]] ssize_t n = ::read(event_.get(), &count, sizeof count);
    std::vector<Question> questions;
    {
        std::lock_guard lock(mutex_);
        questions.swap(waiting_);
    }
    for (const Question& question : questions) question(glance);
}

} // namespace stoa::master
