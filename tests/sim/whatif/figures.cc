#include "tests/sim/whatif/figures.h"

#include <algorithm>

namespace stoa::sim {

Waits waitsOf(std::vector<std::int64_t>& nanos) {
    if (nanos.empty()) return {};
    std::sort(nanos.begin(), nanos.end());
    const auto rank = [&](std::size_t percent) { return Duration(nanos[(nanos.size() * percent + 99) / 100 - 1]); };
    __int128 sum = 0;
    for (const std::int64_t each : nanos) sum += each;
    return {rank(50), rank(90), rank(99),
            Duration(static_cast<std::int64_t>(sum / static_cast<__int128>(nanos.size()))), Duration(nanos.back())};
}

namespace {

std::vector<std::string> rolesOf(const std::vector<Kind>& kinds) {
    std::vector<std::string> names;
    names.reserve(kinds.size());
    for (const Kind& kind : kinds) names.push_back(kind.role);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

} // namespace

Meter::Meter(const std::vector<Kind>& kinds, const Resources::Scalars& total)
    : kinds_(kinds), total_(total), series_(rolesOf(kinds).size() * kLevels) {
    const std::vector<std::string> names = rolesOf(kinds);
    roles_.resize(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) roles_[i].figures.role = names[i];
    for (const Kind& kind : kinds) {
        role_of_.push_back(
            static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), kind.role) - names.begin()));
    }
}

double Meter::share(std::size_t resource, double amount) const {
    return total_[resource] == 0 ? 0 : amount / static_cast<double>(total_[resource]);
}

void Meter::submitted(std::uint32_t kind, Duration at, std::uint32_t count) {
    const std::size_t role = role_of_[kind];
    roles_[role].figures.tasks += count;
    series_.change(level(role, Resources::kScalars), at, count);
}

void Meter::started(std::uint32_t kind, Duration at, Duration waited, std::uint32_t count) {
    const std::size_t role = role_of_[kind];
    roles_[role].figures.started += count;
    roles_[role].waits.insert(roles_[role].waits.end(), count, waited.count());
    series_.change(level(role, Resources::kScalars), at, -std::int64_t{count});
    hold(kind, at, count);
}

void Meter::found(std::uint32_t kind) {
    ++roles_[role_of_[kind]].figures.tasks;
    hold(kind, Duration::zero(), 1);
}

void Meter::ended(std::uint32_t kind, Duration at) {
    ++ended_;
    ++roles_[role_of_[kind]].figures.ended;
    hold(kind, at, -1);
}

void Meter::hold(std::uint32_t kind, Duration at, std::int64_t count) {
    const Resources::Scalars& shape = kinds_[kind].shape.scalars();
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] != 0) series_.change(level(role_of_[kind], i), at, shape[i] * count);
    }
}

void Meter::finish(Duration end, Figures& figures) {
    series_.finish(end);
    figures.span = end;
    figures.step = series_.step();
    std::vector<std::int64_t> all;
    for (std::size_t r = 0; r < roles_.size(); ++r) {
        RoleFigures& role = roles_[r].figures;
        role.waiting = static_cast<std::uint64_t>(series_.now(level(r, Resources::kScalars)));
        if (const auto weight = figures.weights.find(role.role); weight != figures.weights.end())
            role.weight = weight->second;
        all.insert(all.end(), roles_[r].waits.begin(), roles_[r].waits.end());
        role.waits = waitsOf(roles_[r].waits);
        for (std::size_t i = 0; i < Resources::kScalars; ++i) {
            const double mean = share(i, series_.meanOfAll(level(r, i)));
            figures.use[i] += mean;
            role.mean_share = std::max(role.mean_share, mean);
            role.most_share = std::max(role.most_share, share(i, static_cast<double>(series_.most(level(r, i)))));
        }
        std::vector<RolePoint>& points = figures.points.emplace_back(series_.steps());
        for (std::size_t s = 0; s < points.size(); ++s) {
            for (std::size_t i = 0; i < Resources::kScalars; ++i) {
                points[s].use[i] = share(i, series_.mean(level(r, i), s));
                points[s].share = std::max(points[s].share, points[s].use[i]);
            }
            points[s].waiting = series_.mean(level(r, Resources::kScalars), s);
        }
        figures.tasks += role.tasks;
        figures.started += role.started;
        figures.ended += role.ended;
        figures.waiting += role.waiting;
        figures.roles.push_back(role);
    }
    figures.running = figures.tasks - figures.ended - figures.waiting;
    figures.waits = waitsOf(all);
}

} // namespace stoa::sim
