#include "allocator/module_check.h"

#include "allocator/allocator.h"
#include "protocol/rng.h"
#include "protocol/strings.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace stoa::allocator {
namespace {

struct Run {
    std::uint64_t digest = 0xcbf29ce484222325;
    std::uint64_t turns = 0;
    std::uint64_t grants = 0;
    std::uint64_t faults = 0;
    std::uint64_t unserved = 0;
    std::vector<std::string> notes;
    std::string broken; // an invariant of our own
};

// The events of a trace are drawn from its number and from what the module granted.
class Trace {
public:
    Trace(Allocator& allocator, std::uint64_t number) : allocator_(allocator), events_(number), chance_(number + 1) {}

    Run run() {
        const std::uint64_t agents = 1 + events_.below(200);
        const std::uint64_t frameworks = 1 + events_.below(30);
        for (std::uint64_t i = 0; i < agents; ++i) {
            must(allocator_.addAgent(AgentId(concat("agent-", i)), amount(64, 262'144), {}));
        }
        for (std::uint64_t i = 0; i < frameworks; ++i) {
            const std::string role = concat("role-", events_.below(5));
            must(allocator_.setWeight(role, Milli{1000 * static_cast<std::int64_t>(1 + events_.below(3))}));
            must(allocator_.addFramework(FrameworkId(concat("framework-", i)), {role}));
            if (events_.below(3) > 0) askForMore(i, role);
            roles_.push_back(role);
        }
        for (int turn = 0; turn < 50; ++turn) {
            now_ += std::chrono::milliseconds(50);
            const std::vector<Grant> grants = allocator_.allocate(now_, chance_);
            run_.unserved += allocator_.pending() ? 1 : 0;
            for (auto first = grants.begin(); first != grants.end();) {
                const auto end = std::find_if(first + 1, grants.end(), [&](const Grant& grant) {
                    return grant.gang.empty() || grant.gang != first->gang;
                });
                answer(first, end);
                first = end;
            }
            for (std::uint64_t ends = events_.below(20); ends > 0 && !tasks_.empty(); --ends) {
                std::swap(tasks_[events_.below(tasks_.size())], tasks_.back());
                must(allocator_.taskEnded(tasks_.back()));
                tasks_.pop_back();
            }
            if (events_.below(2) == 0) {
                const std::uint64_t framework = events_.below(frameworks);
                askForMore(framework, roles_[framework]);
            }
        }
        must(allocator_.check());
        mix(concat(allocator_.digest()));
        run_.turns = allocator_.counters().turns;
        run_.faults = allocator_.counters().module_faults;
        run_.notes = allocator_.takeNotes();
        return std::move(run_);
    }

private:
    Resources amount(std::uint64_t most_cpus, std::uint64_t most_mem) {
        return Resources(Resources::Scalars{static_cast<std::int64_t>(1000 * (1 + events_.below(most_cpus))),
                                            static_cast<std::int64_t>(1000 * (1 + events_.below(most_mem))), 0, 0});
    }

    void askForMore(std::uint64_t framework, const std::string& role) {
        Demand demand;
        demand.name = concat("demand-", events_.below(2));
        demand.role = role;
        demand.shape = amount(8, 32'768);
        demand.count = static_cast<std::uint32_t>(1 + events_.below(100));
        if (events_.below(4) == 0) demand.gang = Gang{static_cast<std::uint32_t>(events_.below(8))};
        must(allocator_.setDemands(FrameworkId(concat("framework-", framework)), {demand}));
    }

    // One offer, or a gang's.
    void answer(std::vector<Grant>::const_iterator first, std::vector<Grant>::const_iterator end) {
        std::vector<OfferId> offers;
        std::vector<Launch> launches;
        for (auto grant = first; grant != end; ++grant) {
            ++run_.grants;
            mix(concat(grant->offer.value(), " ", grant->framework.value(), " ", grant->agent.value(), " ",
                       grant->resources.toString(), " ", grant->count));
            offers.push_back(grant->offer);
            Resources::Scalars half = grant->resources.scalars();
            for (std::int64_t& scalar : half) scalar = (scalar + 1) / 2;
            launches.push_back({{grant->framework, TaskId(concat("task-", ++tasks_made_))},
                                events_.below(2) == 0 ? Resources(half) : grant->resources,
                                grant->agent});
        }
        const Duration refuse = std::chrono::milliseconds(100 * events_.below(20));
        if (events_.below(4) == 0) {
            must(allocator_.decline(first->framework, {first->offer}, refuse, now_));
            return;
        }
        must(allocator_.accept(offers, launches, refuse, now_));
        for (const Launch& launch : launches) tasks_.push_back(launch.task);
    }

    void mix(const std::string& text) {
        for (const char c : text) run_.digest = (run_.digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    void must(const absl::Status& status) {
        if (!status.ok() && run_.broken.empty()) run_.broken = std::string(status.message());
    }

    Allocator& allocator_;
    Rng events_;
    Rng chance_;
    Time now_{std::chrono::seconds(1)};
    Run run_;
    std::vector<std::string> roles_;
    std::vector<TaskKey> tasks_;
    std::uint64_t tasks_made_ = 0;
};

absl::StatusOr<Run> run(const stoa_allocator_module_v1* module, const std::string& parameters, std::uint64_t trace,
                        std::uint64_t shuffle) {
    auto allocator = Allocator::create({.module = module, .parameters = parameters, .shuffle_spans = shuffle});
    if (!allocator.ok()) return allocator.status();
    return Trace(*allocator, trace).run();
}

} // namespace

absl::StatusOr<ModuleReport> checkModule(const stoa_allocator_module_v1* module, const std::string& parameters,
                                         std::uint64_t traces) {
    ModuleReport report;
    for (std::uint64_t trace = 1; trace <= traces; ++trace) {
        const auto first = run(module, parameters, trace, 0);
        if (!first.ok()) return first.status();
        // What is allocated in between puts the second run elsewhere.
        std::vector<std::unique_ptr<char[]>> elsewhere;
        for (std::size_t i = 1; i < 500; ++i) elsewhere.push_back(std::make_unique<char[]>(16 * i));
        const auto second = run(module, parameters, trace, trace);
        if (!second.ok()) return second.status();
        ++report.traces;
        report.turns += first->turns;
        report.grants += first->grants;
        report.faults += first->faults;
        report.unserved += first->unserved;
        report.digest = report.digest * 0x100000001b3 ^ first->digest;
        if (first->digest != second->digest) {
            report.problems.push_back(concat("trace ", trace,
                                             ": decides otherwise when spans are in another order or at "
                                             "other addresses"));
        }
        if (first->faults > 0) {
            report.problems.push_back(concat("trace ", trace, ": ", first->faults, " answers broke a rule",
                                             first->notes.empty() ? "" : ", the first: " + first->notes.front()));
        }
        if (!first->broken.empty()) report.problems.push_back(concat("trace ", trace, ": ", first->broken));
    }
    return report;
}

} // namespace stoa::allocator
