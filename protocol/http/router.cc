#include "protocol/http/server.h"

namespace stoa::http {
namespace {

// "/files/" and "/files" are the same route.
std::string_view withoutSlash(std::string_view path) {
    while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    return path;
}

} // namespace

Router::Entry& Router::entry(std::map<std::string, Methods, std::less<>>& table, std::string_view method,
                             std::string_view path) {
    return table[std::string(withoutSlash(path))][std::string(method)];
}

void Router::on(std::string_view method, std::string_view path, Handler handler) {
    entry(exact_, method, path).handler = std::move(handler);
}

void Router::defer(std::string_view method, std::string_view path, DeferredHandler handler) {
    entry(exact_, method, path).deferred = std::move(handler);
}

void Router::subtree(std::string_view method, std::string_view prefix, DeferredHandler handler) {
    entry(subtrees_, method, prefix).deferred = std::move(handler);
}

void Router::upload(std::string_view method, std::string_view prefix, UploadGate gate, UploadHandler handler) {
    Entry& made = entry(subtrees_, method, prefix);
    made.gate = std::move(gate);
    made.uploaded = std::move(handler);
}

void Router::strip(std::string_view prefix) { stripped_.emplace_back(withoutSlash(prefix)); }

std::string_view Router::stripped(std::string_view path) const {
    path = withoutSlash(path);
    for (const std::string& prefix : stripped_) {
        if (!path.starts_with(prefix)) continue;
        const std::string_view rest = path.substr(prefix.size());
        if (rest.empty()) path = "/";
        if (rest.starts_with('/')) path = rest;
    }
    return path;
}

std::optional<Response> Router::refuse(const Request& request) const {
    return guard_ ? guard_(request, stripped(request.path)) : std::nullopt;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
    path = stripped(path);
    Match match;
    const auto look = [&](const std::map<std::string, Methods, std::less<>>& table, std::string_view at) {
        const auto methods = table.find(at);
        if (methods == table.end()) return false;
        auto found = methods->second.find(method);
        if (found == methods->second.end() && method == "HEAD") found = methods->second.find("GET");
        if (found == methods->second.end()) found = methods->second.find("*");
        if (found == methods->second.end()) {
            if (!match.allow.empty()) return false; // said by a longer path
            for (const auto& [allowed, entry] : methods->second) {
                match.allow += match.allow.empty() ? allowed : ", " + allowed;
            }
            return false;
        }
        match.entry = &found->second;
        match.allow.clear();
        return true;
    };

    if (look(exact_, path)) return match;
    std::string_view prefix = path;
    while (true) {
        if (look(subtrees_, prefix)) {
            std::string_view rest = path.substr(prefix.size());
            while (rest.starts_with('/')) rest.remove_prefix(1);
            match.rest = rest;
            return match;
        }
        if (prefix.size() <= 1) return match;
        const std::size_t slash = prefix.rfind('/');
        prefix = prefix.substr(0, slash == 0 ? 1 : slash);
    }
}

} // namespace stoa::http
