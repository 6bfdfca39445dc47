{{- define "grayling.image" -}}
{{- required "image: is not set; give the engine's image by an exact tag or a digest" .Values.image -}}
{{- end -}}

{{- define "grayling.version" -}}
{{- $name := splitList "@" .Values.image | first | base -}}
{{- if contains ":" $name -}}
{{- splitList ":" $name | last | trunc 63 | trimAll "-_." -}}
{{- else -}}
{{- regexFind "sha256:[0-9a-f]{12}" .Values.image | trimPrefix "sha256:" -}}
{{- end -}}
{{- end -}}

{{- define "grayling.memory" -}}
{{- $needed := addf 208 (mulf 0.72 .Values.maxInFlight) -}}
{{- .Values.resources.memory | default (printf "%dMi" (mul 16 (divf $needed 16 | ceil))) -}}
{{- end -}}
