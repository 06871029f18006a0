// A file of rows with named columns, as people and other programs write them: CSV whose first line names the columns, or
// JSON lines, told apart by their first character. Blank lines and those that begin with '#' mean nothing.
//
//     class,count,resources                        {"class": "small", "count": 40, "resources": {"cpus": 16, "mem": 65536}}
//     small,40,cpus:16;mem:65536
//
//     absl::Status read = readRows("cluster.csv", text, {{"class", "resources"}, {"count"}}, [&](const Row& row) {
//         absl::StatusOr<Resources> parsed = Resources::parse(row.at("resources"));
//         if (!parsed.ok()) return row.wrong("resources", parsed.status().message());
//         …
//     });
//
// Whatever is wrong is told with file, line, column and how it should be. Pure functions over text in memory.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::sim {

struct Columns {
    std::vector<std::string_view> required;
    std::vector<std::string_view> optional;
};

// One line; valid during the visit.
class Row {
public:
    Row(std::string_view file, const Columns& columns) : file_(file), columns_(columns) {}

    // Trimmed; empty when the row hasn't got it. The column must be one of those asked for.
    const std::string& at(std::string_view column) const;
    std::size_t line() const { return line_; }
    // "trace.csv:17: duration: <what>"
    absl::Status wrong(std::string_view column, std::string_view what) const;
    absl::Status wrong(std::string_view what) const;

private:
    friend class RowReader;
    std::string_view file_;
    const Columns& columns_;
    std::size_t line_ = 0;
    std::vector<std::string> cells_; // in the order of required, then optional
};

// Ends with the visitor's first error. No row at all is an error, too.
absl::Status readRows(std::string_view file, std::string_view text, const Columns& columns,
                      absl::FunctionRef<absl::Status(const Row&)> visit);

// The whole file, or why not in a person's words.
absl::StatusOr<std::string> readWholeFile(const std::string& path);

} // namespace stoa::sim
