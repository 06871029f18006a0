// A table for people: columns as wide as their widest cell, numbers to the right, two spaces between.
//
//   Table table({"ID", "CPUS"});
//   table.row({"agent-1", "4"});
//   std::cout << table.text();
//
// A plain value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::cli {

class Table {
public:
    explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    bool empty() const { return rows_.size() == 1; }
    std::string text() const;

private:
    std::vector<std::vector<std::string>> rows_; // the first are the heads
};

// "1 agent", "2 agents".
std::string counted(std::int64_t count, std::string_view what);
// "4", "0.5": without needless zeros.
std::string amount(double value);
// "3s", "5m", "2h", "4d" since then; "-" for 0.
std::string ago(double seconds_since_1970);

} // namespace stoa::cli
