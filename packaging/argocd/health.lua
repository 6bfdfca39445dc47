-- Health of a GrayRelease for Argo CD, from its status alone. What is not known is never Healthy.
-- Put under `resource.customizations.health.grayling.dev_GrayRelease` in the ConfigMap argocd-cm.

local function answer(status, message)
  return { status = status, message = message }
end

local function condition(status, wanted)
  for _, each in ipairs(status.conditions or {}) do
    if each.type == wanted then
      return each
    end
  end
  return {}
end

local function is_refused(status)
  for _, each in ipairs(status.refused or {}) do
    if each.revision == status.desiredRevision then
      return true, each.reason
    end
  end
  return false
end

local function words(...)
  local said = {}
  for _, each in ipairs({ ... }) do
    if each ~= "" then
      table.insert(said, each)
    end
  end
  return table.concat(said, ": ")
end

local function image(version)
  return version and version.image or ""
end

local function share(status)
  local weight = status.weight or {}
  return string.format("%s has %d %% of the traffic", image(status.canary), weight.written or 0)
end

local function under_way(status, doing)
  if status.paused then
    return answer("Suspended", words("paused by " .. (status.paused.by or "somebody"), status.paused.reason or ""))
  end
  local waiting = status.waiting or {}
  if (waiting.gate or "") ~= "" then
    return answer("Suspended", words(waiting.reason or "", waiting.unblock or ""))
  end
  return answer("Progressing", words(doing, waiting.reason or ""))
end

local phases = {
  Idle = function(status)
    local refused, reason = is_refused(status)
    if refused then
      return answer("Degraded", words("taken back", reason or ""))
    end
    if not status.stable or status.stable.revision ~= status.desiredRevision then
      return under_way(status, "the desired version does not serve yet")
    end
    return answer("Healthy", image(status.stable) .. " serves")
  end,
  Preparing = function(status)
    return under_way(status, image(status.canary) .. " is made ready")
  end,
  Stepping = function(status)
    local step = string.format("step %d of %d", (status.step or 0) + 1, status.steps or 0)
    return under_way(status, step .. ", " .. share(status))
  end,
  Promoting = function(status)
    return under_way(status, share(status))
  end,
  Baking = function(status)
    return under_way(status, image(status.stable) .. " serves and is watched")
  end,
  RollingBack = function(status)
    return answer("Degraded", words("is being taken back", (status.release or {}).outcomeReason or ""))
  end,
  RolledBack = function(status)
    local _, reason = is_refused(status)
    return answer("Degraded", words("taken back", reason or (status.last or {}).outcomeReason or ""))
  end,
}

local status = obj.status
if status == nil or status.phase == nil then
  return answer("Progressing", "no engine has looked at it yet")
end
if (status.observedGeneration or 0) < (obj.metadata.generation or 0) then
  return answer("Progressing", "the engine has not looked at this spec yet")
end
local valid = condition(status, "SpecValid")
if valid.status == "False" then
  return answer("Degraded", words("the spec is not in force", valid.message or ""))
end
local judge = phases[status.phase]
if judge == nil then
  return answer("Unknown", "this health check does not know the phase " .. tostring(status.phase))
end
return judge(status)
