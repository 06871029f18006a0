// The C++ side of module.h, for those who write an allocator module: a class with five functions becomes a module.
//
//     class Alphabetical final : public stoa::allocator::Policy {
//         explicit Alphabetical(stoa::allocator::Host host, std::string_view parameters);
//         void begin(const View& view, std::span<const std::uint32_t> contenders) override; …
//     };
//     STOA_ALLOCATOR_MODULE(Alphabetical, "alphabetical")
//
// Header-only, needs nothing else of the tree. An exception ends at the border: from the constructor it refuses the
// parameters, from elsewhere it is logged and the turn ends. One instance is used by one thread.
#pragma once

#include "allocator/module.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace stoa::allocator {

inline constexpr std::uint32_t kNone = STOA_ALLOCATOR_NONE;
inline constexpr std::size_t kScalars = STOA_ALLOCATOR_SCALARS;

using Placement = stoa_allocator_placement_v1;
using Request = stoa_allocator_request_v1;

// Chance and a log.
class Host {
public:
    explicit Host(const stoa_allocator_host_v1* host) : host_(host) {}
    std::uint64_t random(std::uint64_t bound) const { return host_->random(host_->context, bound); }
    void log(std::string_view text) const { host_->log(host_->context, text.data(), text.size()); }

private:
    const stoa_allocator_host_v1* host_;
};

class View {
public:
    explicit View(const stoa_allocator_view_v1* view) : view_(view) {}
    const stoa_allocator_client_v1& client(std::uint32_t number) const {
        return at(view_->clients, view_->client_stride, number);
    }
    const stoa_allocator_role_v1& role(std::uint32_t number) const {
        return at(view_->roles, view_->role_stride, number);
    }
    const stoa_allocator_agent_v1& agent(std::uint32_t number) const {
        return at(view_->agents, view_->agent_stride, number);
    }
    std::uint32_t clients() const { return view_->client_count; }
    std::uint32_t roles() const { return view_->role_count; }
    std::uint32_t agents() const { return view_->agent_count; }
    std::span<const std::int64_t, kScalars> total() const {
        return std::span<const std::int64_t, kScalars>(view_->total);
    }

private:
    template <class T>
    static const T& at(const T* first, std::uint32_t stride, std::uint32_t number) {
        return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(first) + std::size_t{stride} * number);
    }
    const stoa_allocator_view_v1* view_;
};

// How many pieces of `shape` fit in `free`, at most `limit`.
inline std::uint32_t timesFits(const std::int64_t (&free)[kScalars], const std::int64_t (&shape)[kScalars],
                               std::uint32_t limit) {
    std::uint64_t fits = limit;
    for (std::size_t i = 0; i < kScalars; ++i) {
        if (shape[i] > 0)
            fits = std::min(fits, static_cast<std::uint64_t>(std::max<std::int64_t>(free[i], 0) / shape[i]));
    }
    return static_cast<std::uint32_t>(fits);
}

// What a module does; module.h says when each is called.
class Policy {
public:
    virtual ~Policy() = default;
    virtual void begin(const View& view, std::span<const std::uint32_t> contenders) = 0;
    virtual std::uint32_t next(const View& view) = 0;
    virtual Placement place(const View& view, const Request& request, std::span<const std::uint32_t> candidates) = 0;
    virtual void charged(const View& view, std::uint32_t client) = 0;
    virtual void retired(const View& view, std::uint32_t client) = 0;
};

// The table of functions for a class derived from Policy whose constructor takes (Host, std::string_view parameters).
template <class P>
struct ModuleOf {
    static const stoa_allocator_module_v1* table(const char* name) {
        static const stoa_allocator_module_v1 module = {sizeof(stoa_allocator_module_v1),
                                                        STOA_ALLOCATOR_ABI,
                                                        name,
                                                        create,
                                                        destroy,
                                                        begin,
                                                        next,
                                                        place,
                                                        charged,
                                                        retired};
        return &module;
    }

private:
    struct Instance {
        Host host;
        std::unique_ptr<Policy> policy;
        bool failed = false; // an exception: nothing more in this turn
    };

    static void* create(const stoa_allocator_host_v1* host, const char* parameters, std::size_t length, char* error,
                        std::size_t error_size) {
        try {
            auto policy = std::make_unique<P>(Host(host), std::string_view(parameters, length));
            return new Instance{Host(host), std::move(policy)};
        } catch (const std::exception& e) {
            if (error_size > 0) {
                std::strncpy(error, e.what(), error_size - 1);
                error[error_size - 1] = '\0';
            }
            return nullptr;
        }
    }
    static void destroy(void* self) { delete static_cast<Instance*>(self); }

    template <class R, class F>
    static R guarded(void* self, R otherwise, F call) {
        auto& instance = *static_cast<Instance*>(self);
        if (instance.failed) return otherwise;
        try {
            return call(*instance.policy);
        } catch (const std::exception& e) {
            instance.host.log(e.what());
            instance.failed = true;
            return otherwise;
        }
    }
    static void begin(void* self, const stoa_allocator_view_v1* view, const std::uint32_t* contenders,
                      std::uint32_t count) {
        static_cast<Instance*>(self)->failed = false;
        guarded(self, 0, [&](Policy& p) { return p.begin(View(view), {contenders, count}), 0; });
    }
    static std::uint32_t next(void* self, const stoa_allocator_view_v1* view) {
        return guarded(self, kNone, [&](Policy& p) { return p.next(View(view)); });
    }
    static Placement place(void* self, const stoa_allocator_view_v1* view, const Request* request,
                           const std::uint32_t* candidates, std::uint32_t count) {
        return guarded(self, Placement{kNone, 0}, [&](Policy& p) {
            return p.place(View(view), *request, {candidates, count});
        });
    }
    static void charged(void* self, const stoa_allocator_view_v1* view, std::uint32_t client) {
        guarded(self, 0, [&](Policy& p) { return p.charged(View(view), client), 0; });
    }
    static void retired(void* self, const stoa_allocator_view_v1* view, std::uint32_t client) {
        guarded(self, 0, [&](Policy& p) { return p.retired(View(view), client), 0; });
    }
};

} // namespace stoa::allocator

// At the end of a module's source, outside of any namespace.
#define STOA_ALLOCATOR_MODULE(Class, module_name)                                                                      \
    extern "C" const stoa_allocator_module_v1* stoa_allocator_v1(void);                                                \
    extern "C" const stoa_allocator_module_v1* stoa_allocator_v1(void) {                                               \
        return stoa::allocator::ModuleOf<Class>::table(module_name);                                                   \
    }
