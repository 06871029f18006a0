#include "master/doors/principal.h"

#include <variant>

namespace stoa::master {

std::optional<std::string> completePrincipal(Call& call, const std::string& principal) {
    FrameworkInfo* info = nullptr;
    if (auto* subscribe = std::get_if<call::Subscribe>(&call)) info = &subscribe->info;
    if (auto* update = std::get_if<call::UpdateFramework>(&call)) info = &update->info;
    if (info == nullptr) return std::nullopt;
    if (!info->principal.empty() && info->principal != principal) return info->principal;
    info->principal = principal;
    return std::nullopt;
}

} // namespace stoa::master
