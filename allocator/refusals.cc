#include "allocator/refusals.h"

#include "protocol/strings.h"

#include <algorithm>
#include <utility>

namespace stoa::allocator {

const Bits Refusals::kNothing;

void Refusals::add(Slot request, Slot agent, bool lasting, const Resources& refused, Time until) {
    if (agent >= marks_.size()) marks_.resize(agent + 1);
    if (request >= refused_.size()) refused_.resize(request + 1);
    Marks& marks = marks_[agent];
    auto mark = std::find_if(marks.list.begin(), marks.list.end(), [&](const Mark& m) {
        return m.lasting == lasting && !m.entered.test(request) && m.refused == refused;
    });
    if (mark == marks.list.end()) {
        mark = marks.list.insert(mark, Mark{marks.next_id++, lasting, refused, {}, {}});
    }
    mark->requests.set(request);
    mark->entered.set(request);
    ++mark->live;
    refused_[request].set(agent);

    const std::int64_t since_start = until.time_since_epoch().count();
    const std::int64_t tick = since_start / kTick.count() + (since_start % kTick.count() != 0 ? 1 : 0);
    auto [head, added] = ends_.try_emplace(tick, kNoEntry);
    head->second = put(Entry{request, agent, mark->id, head->second});
}

void Refusals::grew(Slot agent, const Resources& free) {
    if (agent >= marks_.size()) return;
    std::vector<Mark>& list = marks_[agent].list;
    for (std::size_t at = 0; at < list.size();) {
        if (list[at].lasting || list[at].refused.contains(free)) {
            ++at;
            continue;
        }
        const Mark outgrown = std::move(list[at]);
        list.erase(list.begin() + static_cast<std::ptrdiff_t>(at));
        dead_ += outgrown.live;
        outgrown.requests.forEach([&](Slot request) { clearUnlessElsewhere(request, agent); });
    }
    sweep();
}

void Refusals::forgetRequest(Slot request) {
    if (request >= refused_.size()) return;
    refused_[request].forEach([&](Slot agent) {
        for (Mark& mark : marks_[agent].list) {
            if (!mark.requests.test(request)) continue;
            mark.requests.reset(request);
            --mark.live;
            ++dead_;
        }
        std::erase_if(marks_[agent].list, [](const Mark& mark) { return mark.live == 0; });
    });
    refused_[request].clear();
    sweep();
}

void Refusals::forgetAgent(Slot agent) {
    if (agent >= marks_.size()) return;
    for (const Mark& mark : marks_[agent].list) {
        dead_ += mark.live;
        mark.requests.forEach([&](Slot request) { refused_[request].reset(agent); });
    }
    marks_[agent].list.clear();
    sweep();
}

bool Refusals::end(const Entry& entry) {
    Mark* mark = find(entry.agent, entry.mark);
    if (mark == nullptr) {
        --dead_;
        return false;
    }
    mark->entered.reset(entry.request);
    if (!mark->requests.test(entry.request)) {
        --dead_;
        return false;
    }
    mark->requests.reset(entry.request);
    if (--mark->live == 0) std::erase_if(marks_[entry.agent].list, [](const Mark& m) { return m.live == 0; });
    clearUnlessElsewhere(entry.request, entry.agent);
    return !refused_[entry.request].test(entry.agent);
}

void Refusals::clearUnlessElsewhere(Slot request, Slot agent) {
    const std::vector<Mark>& list = marks_[agent].list;
    const bool elsewhere =
        std::any_of(list.begin(), list.end(), [&](const Mark& mark) { return mark.requests.test(request); });
    if (!elsewhere) refused_[request].reset(agent);
}

Refusals::Mark* Refusals::find(Slot agent, std::uint32_t id) {
    std::vector<Mark>& list = marks_[agent].list;
    const auto mark = std::find_if(list.begin(), list.end(), [&](const Mark& m) { return m.id == id; });
    return mark == list.end() ? nullptr : &*mark;
}

std::uint32_t Refusals::put(const Entry& added) {
    ++entries_;
    std::uint32_t at = free_;
    if (at != kNoEntry) {
        free_ = entry(at).next;
    } else {
        at = used_++;
        if (at / kChunk == chunks_.size()) chunks_.push_back(std::make_unique<std::array<Entry, kChunk>>());
    }
    entry(at) = added;
    return at;
}

Refusals::Entry Refusals::take(std::uint32_t at) {
    const Entry taken = entry(at);
    entry(at).next = free_;
    free_ = at;
    --entries_;
    return taken;
}

// Once entries without a refusal are the majority, they go; so each costs a constant more.
void Refusals::sweep() {
    constexpr std::uint64_t kFewEnough = 1024;
    if (dead_ < kFewEnough || dead_ * 2 < entries_) return;
    for (auto tick = ends_.begin(); tick != ends_.end();) {
        std::uint32_t kept = kNoEntry;
        for (std::uint32_t at = tick->second; at != kNoEntry;) {
            const std::uint32_t next = entry(at).next;
            Mark* mark = find(entry(at).agent, entry(at).mark);
            if (mark != nullptr && mark->requests.test(entry(at).request)) {
                entry(at).next = kept;
                kept = at;
            } else {
                if (mark != nullptr) mark->entered.reset(entry(at).request);
                take(at);
                --dead_;
            }
            at = next;
        }
        tick->second = kept;
        tick = kept == kNoEntry ? ends_.erase(tick) : std::next(tick);
    }
}

std::optional<Time> Refusals::nextEnd() const {
    if (ends_.empty()) return std::nullopt;
    return timeOf(ends_.begin()->first);
}

std::uint64_t Refusals::bytes() const {
    constexpr std::uint64_t kMapNode = 48;
    std::uint64_t sum = chunks_.size() * sizeof(std::array<Entry, kChunk>) + ends_.size() * kMapNode;
    for (const Bits& bits : refused_) sum += bits.bytes();
    for (const Marks& marks : marks_) {
        for (const Mark& mark : marks.list) sum += sizeof(Mark) + mark.requests.bytes() + mark.entered.bytes();
    }
    return sum;
}

std::string Refusals::check() const {
    std::uint64_t live = 0;
    for (Slot agent = 0; agent < marks_.size(); ++agent) {
        for (const Mark& mark : marks_[agent].list) {
            live += mark.live;
            if (mark.live == 0 || mark.live != mark.requests.count())
                return concat("a refusal's mark is counted wrongly");
            std::string wrong;
            mark.requests.forEach([&](Slot request) {
                if (!of(request).test(agent) || !mark.entered.test(request)) {
                    wrong = concat("request ", request, " refused agent ", agent, " in one index only");
                }
            });
            if (!wrong.empty()) return wrong;
        }
    }
    if (live != count()) return concat(count(), " refusals are counted, ", live, " are marked");
    for (Slot request = 0; request < refused_.size(); ++request) {
        std::string wrong;
        refused_[request].forEach([&](Slot agent) {
            const std::vector<Mark>& list = marks_[agent].list;
            if (std::none_of(list.begin(), list.end(), [&](const Mark& m) { return m.requests.test(request); })) {
                wrong = concat("request ", request, " is kept from agent ", agent, " by no refusal");
            }
        });
        if (!wrong.empty()) return wrong;
    }
    return {};
}

} // namespace stoa::allocator
