{{/* Labels of an object; call with (list $ "component"). */}}
{{- define "nuptse.labels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: nuptse
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
{{- end }}

{{/* What selects the pods of a component. There is one installation a cluster, so names and selectors are fixed. */}}
{{- define "nuptse.selector" -}}
app.kubernetes.io/name: nuptse
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "nuptse.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end }}

{{- define "nuptse.command" -}}
{{- with .Values.image.command }}
command: {{ toJson . }}
{{- end }}
{{- end }}

{{/* The user name that the API server knows the operator by. */}}
{{- define "nuptse.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:nuptse-operator
{{- end }}

{{/* What crds/ was written for becomes this installation's. */}}
{{- define "nuptse.ours" -}}
{{- $root := index . 0 -}}
{{- index . 1 | replace "system:serviceaccount:nuptse:nuptse-operator" (include "nuptse.operatorUser" $root) | replace "service: {namespace: nuptse," (printf "service: {namespace: %s," $root.Release.Namespace) -}}
{{- end }}

{{/* Policy, Webhook or None. */}}
{{- define "nuptse.queueGate" -}}
{{- $policies := .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
{{- $gate := .Values.queueGate -}}
{{- if eq $gate "Auto" -}}
{{- $gate = ternary "Policy" (ternary "Webhook" "None" .Values.webhooks.enabled) $policies -}}
{{- end -}}
{{- if and (eq $gate "Webhook") (not .Values.webhooks.enabled) -}}
{{- fail "queueGate: Webhook needs webhooks.enabled: true; where the API server is older than 1.36, only the operator's webhook can hold pods" -}}
{{- end -}}
{{- $gate -}}
{{- end }}

{{/* How the operator is told of the trace's store; empty = none is kept. */}}
{{- define "nuptse.traceStore" -}}
{{- if .Values.trace.enabled -}}
{{- .Values.trace.store | default (printf "https://nuptse-trace.%s.svc:8443" .Release.Namespace) -}}
{{- end -}}
{{- end }}

{{/* Whether the chart runs the trace's pod: "true" or nothing. */}}
{{- define "nuptse.ownTrace" -}}
{{- if and .Values.trace.enabled (not .Values.trace.store) -}}true{{- end -}}
{{- end }}

{{/* Secrets whose certificates are needed: a map of name to host names, as YAML. */}}
{{- define "nuptse.certificates" -}}
{{- if .Values.webhooks.enabled }}
nuptse-webhook-tls: [nuptse-webhook.{{ .Release.Namespace }}.svc]
{{- end }}
{{- if .Values.gateway.enabled }}
nuptse-gateway-tls: [nuptse-gateway]
{{- end }}
{{- if include "nuptse.ownTrace" . }}
nuptse-trace-tls: [nuptse-trace.{{ .Release.Namespace }}.svc]
{{- end }}
{{- end }}

{{- define "nuptse.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "nuptse.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a pod may run; call with (list $ "component" values). */}}
{{- define "nuptse.placement" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {app.kubernetes.io/name: nuptse, app.kubernetes.io/component: {{ index . 1 }}}}
{{- if or $values.priorityClassName $root.Values.priorityClass.create }}
priorityClassName: {{ $values.priorityClassName | default "nuptse" }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "nuptse.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* How Node is started: the heap stays below the memory limit. Call with the share in percent. */}}
{{- define "nuptse.nodeOptions" -}}
--max-old-space-size-percentage={{ . }}
{{- end }}
