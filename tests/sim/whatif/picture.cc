#include "tests/sim/whatif/picture.h"

#include "protocol/strings.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>

namespace stoa::sim {

namespace {

// In pixels of the viewer's choice.
constexpr double kWidth = 960;
constexpr double kLeft = 64; // of a panel: room for the labels of its axis
constexpr double kEdge = 24;
constexpr double kUseHeight = 200;
constexpr double kWaitHeight = 96;
constexpr std::size_t kColumns = 180; // of a panel; more would be narrower than a pixel
constexpr std::size_t kColours = 7;   // the roles that hold most; the others share a grey

constexpr std::string_view kStyle = R"(<style>
svg { --paper:#ffffff; --ink:#1c2330; --soft:#5b6575; --rule:#dfe3ea; --track:#eef1f5;
  --c0:#3b6fd4; --c1:#e0782f; --c2:#2e9e78; --c3:#b2519f; --c4:#c4a01d; --c5:#4aa8c9; --c6:#c9504f; --c7:#98a1b0; }
@media (prefers-color-scheme: dark) {
  svg { --paper:#14181f; --ink:#e8ebf0; --soft:#9aa5b5; --rule:#2d3541; --track:#222934;
    --c0:#6f9cf0; --c1:#f09a57; --c2:#4fc39a; --c3:#d47fc3; --c4:#e0c044; --c5:#6cc6e3; --c6:#ea7a76; --c7:#7d8797; }
}
text { font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif; fill:var(--ink); }
.h { font-size:19px; font-weight:600; } .b { font-weight:600; } .s { fill:var(--soft); }
.e { text-anchor:end; } .m { text-anchor:middle; } .n { font-variant-numeric:tabular-nums; }
.r { stroke:var(--rule); stroke-width:1; } .a { stroke:var(--paper); stroke-width:.6; stroke-linejoin:round; }
.f0{fill:var(--c0)} .f1{fill:var(--c1)} .f2{fill:var(--c2)} .f3{fill:var(--c3)} .f4{fill:var(--c4)} .f5{fill:var(--c5)}
.f6{fill:var(--c6)} .f7{fill:var(--c7)} .p{fill:var(--paper)} .t{fill:var(--track)}
</style>
)";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        default: out += c;
        }
    }
    return out;
}

std::string at(double value) {
    std::string text = absl::StrFormat("%.1f", value);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text;
}

// Times that people count in, so that an axis has four to eight of them.
Duration tickOf(Duration span) {
    static constexpr std::array<std::int64_t, 24> kSeconds = {
        1,    2,    5,     10,    15,    30,    60,     120,    300,    600,     900,     1800,
        3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000, 2592000, 7776000, 31536000};
    for (const std::int64_t seconds : kSeconds) {
        if (span <= std::chrono::seconds(seconds * 6)) return std::chrono::seconds(seconds);
    }
    return std::chrono::hours(24 * 365 * 10);
}
// "90m" is "1h30m" for whoever reads an axis; whole units stand alone.
std::string tickName(Duration at) {
    const auto seconds = static_cast<std::int64_t>(at / std::chrono::seconds(1));
    if (seconds == 0) return "0";
    if (seconds % 86400 == 0) return concat(seconds / 86400, "d");
    if (seconds % 3600 == 0) return concat(seconds / 3600, "h");
    if (seconds % 60 == 0 && seconds < 3600) return concat(seconds / 60, "m");
    return showSpan(at);
}

// The least of 1, 1.5, 2, 3 … × 10^n that is not below.
double niceAbove(double value) {
    if (value <= 1) return 1;
    const double power = std::pow(10, std::floor(std::log10(value)));
    for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0}) {
        if (step * power >= value - 1e-9) return step * power;
    }
    return 10 * power;
}

std::string countName(double count) {
    if (count >= 1e6) return absl::StrFormat("%gM", count / 1e6);
    return count >= 1e4 ? absl::StrFormat("%gk", count / 1e3) : absl::StrFormat("%g", count);
}

class Picture {
public:
    explicit Picture(const Answer& answer) : answer_(answer), runs_(answer.runs) {
        chooseResource();
        chooseColours();
        for (const Figures& run : runs_) span_ = std::max(span_, run.span);
        span_ = std::max<Duration>(span_, std::chrono::seconds(1));
        panel_ = (kWidth - 2 * kEdge) / static_cast<double>(runs_.size());
    }

    std::string draw() {
        head();
        const double use_top = y_ + 44;
        const double wait_top = use_top + kUseHeight + 62;
        double most = 0;
        std::vector<std::vector<std::vector<double>>> use;
        std::vector<std::vector<std::vector<double>>> waiting;
        for (const Figures& run : runs_) {
            use.push_back(stacked(run, [this](const RolePoint& point) { return point.use[resource_]; }));
            waiting.push_back(stacked(run, [](const RolePoint& point) { return point.waiting; }));
            for (const double top : waiting.back().back()) most = std::max(most, top);
        }
        const double scale = niceAbove(most);
        for (std::size_t i = 0; i < runs_.size(); ++i) {
            const double left = kEdge + panel_ * static_cast<double>(i);
            const Figures& run = runs_[i];
            panelTitle(
                left, use_top,
                concat(runs_.size() == 1 ? "" : concat(run.name, ": "), Resources::kScalarNames[resource_], " in use"),
                absl::StrFormat("%.1f %% of %s over %s", run.use[resource_] * 100, countOf(run), showSpan(run.span)));
            area(left, use_top, kUseHeight, 1, run, use[i]);
            for (const double part : {0.0, 0.25, 0.5, 0.75, 1.0}) {
                axisLabel(left, use_top + kUseHeight * (1 - part), absl::StrFormat("%.0f %%", part * 100));
            }
            panelTitle(left, wait_top, "tasks that wait", "");
            area(left, wait_top, kWaitHeight, scale, run, waiting[i]);
            for (const double part : {0.0, 0.5, 1.0}) {
                axisLabel(left, wait_top + kWaitHeight * (1 - part), countName(scale * part));
            }
            timeAxis(left, wait_top + kWaitHeight);
        }
        y_ = wait_top + kWaitHeight + 66;
        waits();
        return finish();
    }

private:
    // ---- What is shown -----------------------------------------------------------------------------------------

    // The one that is scarcest.
    void chooseResource() {
        for (std::size_t i = 0; i < Resources::kScalars; ++i) {
            if (runs_[0].use[i] > runs_[0].use[resource_]) resource_ = i;
        }
    }

    // The roles that hold most have a colour of their own; which, depends on their name, so that it stays.
    void chooseColours() {
        const std::vector<RoleFigures>& roles = runs_[0].roles;
        std::vector<std::size_t> order(roles.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return roles[a].mean_share > roles[b].mean_share; });
        own_.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), kColours)));
        std::sort(own_.begin(), own_.end());
        colour_.assign(roles.size(), own_.size() < roles.size() ? own_.size() : 0);
        for (std::size_t i = 0; i < own_.size(); ++i) colour_[own_[i]] = i;
        bands_ = own_.size() + (own_.size() < roles.size() ? 1 : 0);
    }
    std::string colour(std::size_t band) const { return concat("f", band < own_.size() ? band : kColours); }
    std::string bandName(std::size_t band) const {
        return band < own_.size() ? runs_[0].roles[own_[band]].role
                                  : concat(runs_[0].roles.size() - own_.size(), " others");
    }

    std::string countOf(const Figures& run) const {
        return concat(countName(static_cast<double>(run.total[resource_]) / 1000), " ",
                      Resources::kScalarNames[resource_], " on ", run.agents, " agents");
    }

    // Of each band, the height of its upper edge in each column of time.
    template <class Of>
    std::vector<std::vector<double>> stacked(const Figures& run, Of of) const {
        const std::size_t steps = run.points.empty() ? 0 : run.points.front().size();
        const std::size_t columns = std::min(kColumns, steps);
        std::vector<std::vector<double>> bands(std::max<std::size_t>(bands_, 1), std::vector<double>(columns));
        for (std::size_t c = 0; c < columns; ++c) {
            const std::size_t from = c * steps / columns;
            const std::size_t to = (c + 1) * steps / columns;
            for (std::size_t r = 0; r < run.points.size(); ++r) {
                double sum = 0;
                for (std::size_t s = from; s < to; ++s) sum += of(run.points[r][s]);
                bands[colour_[r]][c] += sum / static_cast<double>(to - from);
            }
            for (std::size_t b = 1; b < bands.size(); ++b) bands[b][c] += bands[b - 1][c];
        }
        return bands;
    }

    // ---- Marks -------------------------------------------------------------------------------------------------

    void text(double x, double y, std::string_view classes, std::string_view what) {
        absl::StrAppend(&body_, "<text x=\"", at(x), "\" y=\"", at(y), "\" class=\"", toAbsl(classes), "\">",
                        escaped(what), "</text>\n");
    }
    void rule(double x1, double y1, double x2, double y2) {
        absl::StrAppend(&body_, "<path class=\"r\" d=\"M", at(x1), " ", at(y1), "L", at(x2), " ", at(y2), "\"/>\n");
    }
    void box(double x, double y, double width, double height, double round, std::string_view fill) {
        absl::StrAppend(&body_, "<rect x=\"", at(x), "\" y=\"", at(y), "\" width=\"", at(std::max(width, 0.0)),
                        "\" height=\"", at(height), "\" rx=\"", at(round), "\" ", toAbsl(fill), "/>\n");
    }

    double inner() const { return panel_ - kLeft - (runs_.size() == 1 ? 0 : 20); }
    double place(Duration when) const { return inner() * secondsOf(when) / secondsOf(span_); }

    void panelTitle(double left, double top, const std::string& what, const std::string& more) {
        text(left, top - 14, "b", what);
        if (!more.empty()) text(left + kLeft + inner(), top - 14, "s e n", more);
    }
    void axisLabel(double left, double y, const std::string& what) {
        text(left + kLeft - 8, y + 4, "s e n", what);
        rule(left + kLeft, y, left + kLeft + inner(), y);
    }
    void timeAxis(double left, double y) {
        const Duration tick = tickOf(runs_.size() == 1 ? span_ / 2 : span_);
        for (Duration when{0}; when <= span_; when += tick) {
            const double x = left + kLeft + place(when);
            rule(x, y, x, y + 5);
            text(x, y + 20, when == Duration::zero() ? "s n" : "s m n", tickName(when));
        }
    }

    // Bands on top of each other, the topmost drawn first.
    void area(double left, double top, double height, double scale, const Figures& run,
              const std::vector<std::vector<double>>& bands) {
        const double x0 = left + kLeft;
        const std::size_t columns = bands.front().size();
        for (std::size_t b = bands.size(); b-- > 0;) {
            if (columns == 0 || *std::max_element(bands[b].begin(), bands[b].end()) <= 0) continue;
            const double width = place(run.span) / static_cast<double>(columns);
            std::string path = concat("M", at(x0), " ", at(top + height));
            for (std::size_t c = 0; c < columns; ++c) {
                const double y = top + height * (1 - std::min(bands[b][c] / scale, 1.0));
                absl::StrAppend(&path, "V", at(y), "H", at(x0 + width * static_cast<double>(c + 1)));
            }
            absl::StrAppend(&body_, "<path class=\"a ", colour(b), "\" d=\"", path, "V", at(top + height),
                            "Z\"><title>", escaped(bandName(b)), "</title></path>\n");
        }
    }

    // ---- Parts -------------------------------------------------------------------------------------------------

    void head() {
        std::string title;
        for (const std::string& change : answer_.changes) title += concat(title.empty() ? "What if: " : "; ", change);
        if (title.empty()) title = "The cluster as it is";
        text(kEdge, 40, "h", title);
        const Figures& run = runs_[0];
        text(kEdge, 62, "s",
             concat(run.agents, " agents, ", run.tasks, " tasks, allocator ", run.allocator, ", seed ", answer_.seed));
        double x = kEdge;
        for (std::size_t b = 0; b < bands_; ++b) {
            std::string name = bandName(b);
            if (b < own_.size() && run.roles[own_[b]].weight != 1) {
                name += absl::StrFormat(" (weight %g)", run.roles[own_[b]].weight);
            }
            const double width = 34 + 6.6 * static_cast<double>(name.size());
            if (x + width > kWidth - kEdge) {
                x = kEdge;
                y_ += 20;
            }
            box(x, y_ - 10, 12, 12, 3, concat("class=\"", colour(b), "\""));
            text(x + 18, y_, "", name);
            x += width;
        }
    }

    // A row for each role and run: as far as the bar is full half of its tasks waited, then nine of ten, then 99 of 100.
    void waits() {
        Duration most{0};
        for (const Figures& run : runs_) {
            for (const RoleFigures& role : run.roles) most = std::max(most, role.waits.p99);
        }
        const Duration tick = tickOf(std::max<Duration>(most, std::chrono::milliseconds(1)));
        const Duration end = tick * ((most + tick - Duration(1)) / tick + (most == Duration::zero() ? 1 : 0));
        const double left = kEdge + 150;
        const double width = kWidth - kEdge - left - 210;
        text(kEdge, y_, "b", "how long tasks waited");
        text(left + width + 16, y_, "s", "p50 · p90 · p99");
        y_ += 16;
        const double top = y_;
        std::string bars;
        bars.swap(body_);
        for (std::size_t b = 0; b < own_.size(); ++b) {
            text(kEdge, y_ + 11, "", bandName(b));
            for (const Figures& run : runs_) waitBar(left, width, end, b, run);
            y_ += 8;
        }
        bars.swap(body_);
        for (Duration when{0}; when <= end; when += tick) {
            const double x = left + width * secondsOf(when) / secondsOf(end);
            rule(x, top - 2, x, y_);
            text(x, y_ + 14, "s m n", tickName(when));
        }
        body_ += bars;
        if (bands_ > own_.size()) text(kEdge, y_ + 14, "s", "(the others are in the table)");
        y_ += 40;
    }
    void waitBar(double left, double width, Duration end, std::size_t band, const Figures& run) {
        const RoleFigures& role = run.roles[own_[band]];
        const auto to = [&](Duration wait) { return width * secondsOf(wait) / secondsOf(end); };
        if (runs_.size() == 2) text(left - 8, y_ + 11, "s e", run.name);
        box(left, y_ + 2, width, 10, 3, "class=\"t\"");
        box(left, y_ + 2, to(role.waits.p99), 10, 3, concat("class=\"", colour(band), "\" opacity=\".3\""));
        box(left, y_ + 2, to(role.waits.p90), 10, 3, concat("class=\"", colour(band), "\" opacity=\".5\""));
        box(left, y_ + 2, to(role.waits.p50), 10, 3, concat("class=\"", colour(band), "\""));
        std::string figures = role.started == 0 ? "none was started"
                                                : concat(showSpan(role.waits.p50), " · ", showSpan(role.waits.p90),
                                                         " · ", showSpan(role.waits.p99));
        if (role.waiting > 0) figures += concat(" (", role.waiting, " never)");
        text(left + width + 16, y_ + 11, "n", figures);
        y_ += 18;
    }

    std::string finish() {
        std::string out = concat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", at(kWidth), " ", at(y_),
                                 "\" width=\"", at(kWidth), "\" height=\"", at(y_), "\" role=\"img\">\n<title>");
        out += "Stoa: use, waiting tasks and waiting times of a simulated cluster</title>\n";
        out += kStyle;
        out += "<rect class=\"p\" width=\"100%\" height=\"100%\"/>\n";
        return concat(out, body_, "</svg>\n");
    }

    const Answer& answer_;
    const std::vector<Figures>& runs_;
    std::size_t resource_ = Resources::kCpus;
    std::vector<std::size_t> own_;    // roles with a colour of their own, by name
    std::vector<std::size_t> colour_; // of a role: its band
    std::size_t bands_ = 0;
    Duration span_{0};
    double panel_ = 0;
    double y_ = 92;
    std::string body_;
};

} // namespace

std::string svgOf(const Answer& answer) { return Picture(answer).draw(); }

} // namespace stoa::sim
