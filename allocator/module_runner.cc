#include "allocator/module_runner.h"

#include "protocol/strings.h"

#include <array>
#include <utility>

namespace stoa::allocator {

ModuleRunner::ModuleRunner(const stoa_allocator_module_v1* module, std::size_t most_notes, std::uint64_t shuffle_spans)
    : module_(module), host_{sizeof(stoa_allocator_host_v1), STOA_ALLOCATOR_ABI, this, random, log},
      most_notes_(most_notes) {
    if (shuffle_spans != 0) shuffle_.emplace(shuffle_spans);
}

absl::StatusOr<std::unique_ptr<ModuleRunner>> ModuleRunner::create(const stoa_allocator_module_v1* module,
                                                                   const std::string& parameters,
                                                                   std::size_t most_notes,
                                                                   std::uint64_t shuffle_spans) {
    std::unique_ptr<ModuleRunner> runner(new ModuleRunner(module, most_notes, shuffle_spans));
    std::array<char, 512> error{};
    runner->self_ = module->create(&runner->host_, parameters.data(), parameters.size(), error.data(), error.size());
    if (runner->self_ == nullptr) {
        error.back() = '\0';
        return invalid(std::string_view(error.data()));
    }
    return runner;
}

ModuleRunner::~ModuleRunner() {
    if (self_ != nullptr) module_->destroy(self_);
}

void ModuleRunner::shuffle(std::vector<Slot>& span) {
    for (std::size_t left = span.size(); left > 1; --left) std::swap(span[left - 1], span[shuffle_->below(left)]);
}

void ModuleRunner::begin(const stoa_allocator_view_v1& view, std::vector<Slot> contenders, Rng& rng) {
    rng_ = &rng;
    if (shuffle_.has_value()) shuffle(contenders);
    module_->begin(self_, &view, contenders.data(), static_cast<std::uint32_t>(contenders.size()));
}

std::uint64_t ModuleRunner::random(void* context, std::uint64_t bound) {
    auto& runner = *static_cast<ModuleRunner*>(context);
    return runner.rng_ == nullptr || bound == 0 ? 0 : runner.rng_->below(bound);
}

void ModuleRunner::log(void* context, const char* text, std::size_t length) {
    static_cast<ModuleRunner*>(context)->note(std::string_view(text, length));
}

void ModuleRunner::note(std::string_view text) {
    if (notes_.size() + 1 < most_notes_) {
        notes_.push_back(concat("allocator module ", std::string_view(module_->name), ": ", text));
    } else {
        ++notes_dropped_;
    }
}

std::vector<std::string> ModuleRunner::takeNotes() {
    std::vector<std::string> taken = std::exchange(notes_, {});
    if (const auto dropped = std::exchange(notes_dropped_, 0); dropped > 0) {
        taken.push_back(concat("allocator module ", std::string_view(module_->name), ": ", dropped, " more notes"));
    }
    return taken;
}

} // namespace stoa::allocator
