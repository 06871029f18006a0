// One instance of a module, as the allocator calls it: the host's side of module.h. Carries chance in and notes out.
// Owned by the Allocator, on its thread; the module's address of the host must stay, so it can't be moved.
#pragma once

#include "allocator/module.h"
#include "allocator/slots.h"
#include "protocol/rng.h"

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::allocator {

class ModuleRunner {
public:
    static absl::StatusOr<std::unique_ptr<ModuleRunner>> create(const stoa_allocator_module_v1* module,
                                                                const std::string& parameters, std::size_t most_notes,
                                                                std::uint64_t shuffle_spans);
    ~ModuleRunner();
    ModuleRunner(const ModuleRunner&) = delete;
    ModuleRunner& operator=(const ModuleRunner&) = delete;

    void begin(const stoa_allocator_view_v1& view, std::vector<Slot> contenders, Rng& rng);
    Slot next(const stoa_allocator_view_v1& view) { return module_->next(self_, &view); }
    stoa_allocator_placement_v1 place(const stoa_allocator_view_v1& view, const stoa_allocator_request_v1& request,
                                      std::vector<Slot>& candidates) {
        if (shuffle_.has_value()) shuffle(candidates);
        return module_->place(self_, &view, &request, candidates.data(), static_cast<std::uint32_t>(candidates.size()));
    }
    void charged(const stoa_allocator_view_v1& view, Slot client) { module_->charged(self_, &view, client); }
    void retired(const stoa_allocator_view_v1& view, Slot client) { module_->retired(self_, &view, client); }
    void end() { rng_ = nullptr; }

    void note(std::string_view text);
    std::vector<std::string> takeNotes();

private:
    ModuleRunner(const stoa_allocator_module_v1* module, std::size_t most_notes, std::uint64_t shuffle_spans);
    void shuffle(std::vector<Slot>& span);
    static std::uint64_t random(void* context, std::uint64_t bound);
    static void log(void* context, const char* text, std::size_t length);

    const stoa_allocator_module_v1* module_;
    stoa_allocator_host_v1 host_;
    void* self_ = nullptr;
    Rng* rng_ = nullptr; // of the turn
    std::optional<Rng> shuffle_;
    std::vector<std::string> notes_;
    std::size_t most_notes_;
    std::uint64_t notes_dropped_ = 0;
};

} // namespace stoa::allocator
