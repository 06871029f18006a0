#include "tests/sim/whatif/rows.h"

#include "protocol/strings.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace stoa::sim {

namespace {

constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

std::size_t indexOf(const Columns& columns, std::string_view name) {
    for (std::size_t i = 0; i < columns.required.size(); ++i) {
        if (columns.required[i] == name) return i;
    }
    for (std::size_t i = 0; i < columns.optional.size(); ++i) {
        if (columns.optional[i] == name) return columns.required.size() + i;
    }
    return kNowhere;
}

// "submit, shape and, if wanted, role, count"
std::string listed(const Columns& columns) {
    std::string text;
    for (const std::string_view name : columns.required) text += concat(text.empty() ? "" : ", ", name);
    for (std::size_t i = 0; i < columns.optional.size(); ++i) {
        text += concat(i == 0 ? " and, if wanted, " : ", ", columns.optional[i]);
    }
    return text;
}

// A value as it would stand in a cell: {"cpus": 2, "mem": 512} as "cpus:2;mem:512".
std::optional<std::string> cellOf(const rapidjson::Value& value) {
    if (value.IsNull()) return "";
    if (value.IsString()) return std::string(value.GetString(), value.GetStringLength());
    if (value.IsBool()) return value.GetBool() ? "true" : "false";
    if (value.IsNumber()) {
        rapidjson::StringBuffer buffer;
        rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
        value.Accept(writer);
        return std::string(buffer.GetString(), buffer.GetSize());
    }
    if (!value.IsObject()) return std::nullopt;
    std::string text;
    for (const auto& member : value.GetObject()) {
        const std::optional<std::string> inner = cellOf(member.value);
        if (!inner || member.value.IsObject()) return std::nullopt;
        if (!text.empty()) text += ";";
        text += concat(std::string_view(member.name.GetString(), member.name.GetStringLength()), ":", *inner);
    }
    return text;
}

} // namespace

const std::string& Row::at(std::string_view column) const { return cells_.at(indexOf(columns_, column)); }

absl::Status Row::wrong(std::string_view column, std::string_view what) const {
    return invalid(file_, ":", line_, ": ", column, ": ", what);
}

absl::Status Row::wrong(std::string_view what) const { return invalid(file_, ":", line_, ": ", what); }

class RowReader {
public:
    RowReader(std::string_view file, const Columns& columns) : columns_(columns), row_(file, columns) {
        row_.cells_.resize(columns.required.size() + columns.optional.size());
    }

    absl::Status read(std::string_view text, absl::FunctionRef<absl::Status(const Row&)> visit) {
        if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
        bool first = true;
        std::size_t rows = 0;
        while (!text.empty()) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            const std::string_view line = trimmed(text.substr(0, end));
            text.remove_prefix(std::min(end + 1, text.size()));
            ++row_.line_;
            if (line.empty() || line.front() == '#') continue;
            if (std::exchange(first, false)) {
                json_ = line.front() == '{';
                if (!json_) {
                    if (absl::Status head = takeHead(line); !head.ok()) return head;
                    continue;
                }
            }
            for (std::string& cell : row_.cells_) cell.clear();
            absl::Status taken = json_ ? takeJson(line) : takeCsv(line);
            if (taken.ok()) taken = takeRequired();
            if (taken.ok()) taken = visit(row_);
            if (!taken.ok()) return taken;
            ++rows;
        }
        if (rows > 0) return absl::OkStatus();
        row_.line_ = std::max<std::size_t>(row_.line_, 1);
        return row_.wrong(concat("there is no row in it; a row has ", listed(columns_)));
    }

private:
    absl::Status takeHead(std::string_view line) {
        if (absl::Status cut = cutCsv(line); !cut.ok()) return cut;
        for (const std::string& name : pieces_) {
            const std::size_t index = indexOf(columns_, name);
            if (index == kNowhere) {
                return row_.wrong(concat("\"", name, "\" is no column; the first line names them: ", listed(columns_)));
            }
            if (std::find(to_.begin(), to_.end(), index) != to_.end()) {
                return row_.wrong(concat("column \"", name, "\" stands there twice"));
            }
            to_.push_back(index);
        }
        for (std::size_t i = 0; i < columns_.required.size(); ++i) {
            if (std::find(to_.begin(), to_.end(), i) == to_.end()) {
                return row_.wrong(concat("there is no column \"", columns_.required[i],
                                         "\"; the first line names the columns: ", listed(columns_)));
            }
        }
        return absl::OkStatus();
    }

    absl::Status takeCsv(std::string_view line) {
        if (absl::Status cut = cutCsv(line); !cut.ok()) return cut;
        if (pieces_.size() != to_.size()) {
            return row_.wrong(concat("has ", pieces_.size(), " cells, but the first line names ", to_.size(),
                                     " columns (a cell with a comma stands in double quotes)"));
        }
        for (std::size_t i = 0; i < to_.size(); ++i) row_.cells_[to_[i]].swap(pieces_[i]);
        return absl::OkStatus();
    }

    // RFC 4180, but for line breaks in quotes; room around a cell is no part of it.
    absl::Status cutCsv(std::string_view line) {
        pieces_.clear();
        for (;;) {
            line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
            if (line.empty() || line.front() != '"') {
                const std::size_t comma = line.find(',');
                pieces_.emplace_back(trimmed(line.substr(0, comma)));
                if (comma == std::string_view::npos) return absl::OkStatus();
                line.remove_prefix(comma + 1);
                continue;
            }
            std::string cell;
            for (line.remove_prefix(1);; line.remove_prefix(1)) {
                if (line.empty()) return row_.wrong("a double quote is not closed on the same line");
                if (line.front() == '"') {
                    line.remove_prefix(1);
                    if (line.empty() || line.front() != '"') break;
                }
                cell += line.front();
            }
            pieces_.push_back(std::move(cell));
            line = trimmed(line);
            if (line.empty()) return absl::OkStatus();
            if (line.front() != ',') {
                return row_.wrong(concat("a comma belongs between \"", pieces_.back(), "\" and ", line.substr(0, 20)));
            }
            line.remove_prefix(1);
        }
    }

    absl::Status takeJson(std::string_view line) {
        rapidjson::Document object;
        object.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag>(line.data(), line.size());
        if (object.HasParseError()) {
            return row_.wrong(concat("is no JSON: ", rapidjson::GetParseError_En(object.GetParseError()),
                                     " (character ", object.GetErrorOffset() + 1, ")"));
        }
        if (!object.IsObject()) return row_.wrong("is no JSON object; each line is one: {\"…\": …}");
        for (const auto& member : object.GetObject()) {
            const std::string_view name(member.name.GetString(), member.name.GetStringLength());
            const std::size_t index = indexOf(columns_, name);
            if (index == kNowhere)
                return row_.wrong(concat("there is no key \"", name, "\"; there are ", listed(columns_)));
            std::optional<std::string> cell = cellOf(member.value);
            if (!cell) return row_.wrong(name, "is neither a text nor a number, nor an object of these");
            row_.cells_[index] = std::string(trimmed(*cell));
        }
        return absl::OkStatus();
    }

    absl::Status takeRequired() const {
        for (std::size_t i = 0; i < columns_.required.size(); ++i) {
            if (row_.cells_[i].empty()) return row_.wrong(columns_.required[i], "is missing");
        }
        return absl::OkStatus();
    }

    const Columns& columns_;
    Row row_;
    bool json_ = false;
    std::vector<std::size_t> to_; // of each column of the file, its place in the row
    std::vector<std::string> pieces_;
};

absl::Status readRows(std::string_view file, std::string_view text, const Columns& columns,
                      absl::FunctionRef<absl::Status(const Row&)> visit) {
    return RowReader(file, columns).read(text, visit);
}

absl::StatusOr<std::string> readWholeFile(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (file) text << file.rdbuf();
    if (!file || file.bad()) {
        return invalid(path, " can't be read: ", std::strerror(errno != 0 ? errno : EIO));
    }
    return std::move(text).str();
}

} // namespace stoa::sim
