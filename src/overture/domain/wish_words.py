"""How people say that they want no more messages, by language: what may come before, the wish itself, what may follow.

As they are read: lower case, without accents, hyphens as spaces, a whole clause. Each is a pattern of words. What also
answers ordinary questions ("no more", "cancel it", "I want to deregister") is not here. No entry of `before` and
`after` is made of others there: a long text that can be read in two ways at each word is read for ever.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct


class WishWords(Struct, frozen=True, kw_only=True):
    """A language's words: `before` and `after` may come any number of times, one of `wishes` must come once."""

    before: tuple[str, ...]
    wishes: tuple[str, ...]
    after: tuple[str, ...]


_DE_MAIL: Final = r"(?:nachrichten?|sms|werbung|whatsapps?|whatsapp nachrichten|mitteilungen|angebote|spam)"
_DE_LIST: Final = (
    r"(?:aus|von) (?:(?:der|dem|ihrer|ihrem|eurer|eurem|dieser|diesem|deiner) )?"
    r"(?:liste|kontaktliste|mailingliste|verteiler|datenbank|system)"
)
_GERMAN: Final = WishWords(
    before=(
        *(
            "bitte",
            "hallo",
            "hi",
            "hey",
            "guten tag",
            "ok",
            "okay",
            "nein",
            "danke",
            "und",
            "also",
            "jetzt",
        ),
        *("sofort", "endlich", "einfach", "nochmal", "falsche nummer", "(?:ich habe )?kein interesse", "leute"),
        r"(?:konnen|koennen|konnten|koennten|wurden|wuerden) sie",
    ),
    wishes=(
        (
            r"(?:hor|hoer|hort|hoert|horen|hoeren)(?: sie| ihr)?(?: (?:endlich|bitte|sofort|jetzt|mal|"
            r"doch))* (?:damit )?auf"
            r"(?: damit)?(?: (?:mir|uns|mich) (?:(?:standig|staendig|dauernd|immer) )?(?:zu schreiben|"
            r"zu texten|zu nerven|"
            rf"zu belastigen|zu belaestigen|zu kontaktieren|anzuschreiben|{_DE_MAIL} zu (?:schicken|senden|"
            rf"schreiben)))?"
        ),
        (
            r"(?:schreib|schreibe|schreibt|schreiben|kontaktier|kontaktiere|kontaktiert|kontaktieren|"
            r"belastigen|belaestigen|"
            r"nerv|nervt|texte|textet)(?: sie| ihr)? (?:mir|uns|mich)(?: bitte| endlich)* (?:nicht mehr|"
            r"nie wieder|nie mehr)"
        ),
        (
            r"(?:schreib|schreibe|schreibt|schreiben|schick|schicke|schickt|schicken|sende|sendet|senden)(?: sie| ihr)?"
            rf"(?: (?:mir|uns))?(?: bitte| endlich)* (?:keine (?:weiteren )?{_DE_MAIL}(?: mehr)?|nichts mehr)"
        ),
        rf"keine weiteren {_DE_MAIL}(?: mehr)?|keine {_DE_MAIL} mehr|keine werbung",
        (
            rf"ich (?:will|mochte|moechte|wunsche|wuensche)(?: bitte)? keine (?:weiteren )?{_DE_MAIL}(?: mehr)?"
            r"(?: von (?:ihnen|euch|dir))?(?: (?:bekommen|erhalten|haben))?"
        ),
        (
            r"ich (?:will|mochte|moechte)(?: bitte)? (?:nichts mehr|nie wieder etwas) von (?:ihnen|euch|dir)"
            r"(?: (?:horen|hoeren|lesen|bekommen))?"
        ),
        r"ich (?:will|mochte|moechte)(?: bitte)? nicht (?:mehr|weiter) (?:kontaktiert|angeschrieben|belastigt) werden",
        (
            r"(?:nehmen|nehmt|nimm|streichen|streicht|streich|loschen|loeschen|losch|entfernen|entfernt|"
            r"entferne|tragen)"
            rf"(?: sie| ihr)? (?:mich|uns)(?: bitte)? {_DE_LIST}(?: heraus| raus| aus)?"
        ),
        (
            r"(?:loschen|loeschen|loscht|loescht|losche|loesche|losch|streichen|streicht|entfernen|entfernt|entferne)"
            rf"(?: sie| ihr)?(?: bitte)? meine (?:nummer|handynummer|telefonnummer|"
            rf"kontaktdaten)(?: bitte)?(?: {_DE_LIST})?"
        ),
        r"(?:lass|lasst|lassen)(?: sie)? (?:mich|uns)(?: (?:bitte|endlich|doch|einfach|jetzt))* in (?:ruhe|frieden)",
        r"(?:hiermit )?(?:ich )?widerrufe(?: ich)?(?: hiermit)? (?:meine|die) (?:einwilligung|zustimmung)",
        r"(?:melde|meldet|melden)(?: sie)? (?:mich|uns)(?: bitte)? (?:von (?:diesen|den|ihren|euren) nachrichten )?ab",
        rf"(?:stopp|stoppt|stoppen|stop)(?: sie)?(?: bitte)? (?:die|diese|alle|eure|ihre) {_DE_MAIL}",
        rf"stellen sie(?: bitte)? (?:die|diese|ihre) {_DE_MAIL} ein",
    ),
    after=(
        *(
            "bitte",
            "danke",
            "vielen dank",
            "sofort",
            "jetzt",
            "mehr",
            "ab sofort",
            "endgultig",
            "fur immer",
            "fuer immer",
        ),
        *("nochmal", "ok", r"(?:an|auf|unter) diese[r]? nummer", r"(?:auf|per|uber) (?:sms|whatsapp)"),
    ),
)

_ES_MAIL: Final = (
    r"(?:mensajes?(?: de texto)?|sms|textos|mensajitos|publicidad|spam|promociones|notificaciones|whatsapps?)"
)
_ES_LIST: Final = (
    r"de (?:su|tu|la|esta|esa|sus|vuestra) (?:lista|listas|base de datos|base|agenda)"
    r"(?: de (?:contactos|correo|envio|difusion|mensajes))?"
)
_ES_WRITING: Final = r"(?:escribirme|escribirnos|molestarme|molestarnos|contactarme|contactarnos|acosarme)"
_ES_SENDING: Final = r"(?:mandarme|mandarnos|enviarme|enviarnos|mandar|enviar|escribirme)"
_ES_WHICH: Final = r"(?:(?:mas|tantos|estos|esos|sus|tus|los|tanta) )*"
_SPANISH: Final = WishWords(
    before=(
        *(
            "por favor",
            "porfa",
            "hola",
            "ok",
            "vale",
            "ya",
            "y",
            "pues",
            "oye",
            "oiga",
            "gracias",
        ),
        *("numero equivocado", "no me interesa", "no estoy interesad[oa]", "buenas", "buenos dias", "buenas tardes"),
        r"no(?! (?:dej|par))",  # "don't stop" asks for the contrary
        r"(?:quiero|necesito|(?:le|les|te) pido) que",
        r"(?:puede|puedes|pueden|podria|podrias|podrian)",
    ),
    wishes=(
        (
            r"(?:deja|deje|dejen|dejad|dejar|dejes|para|pare|paren|parad|parar|basta)(?: ya)? de "
            rf"(?:{_ES_WRITING}|{_ES_SENDING} {_ES_WHICH}{_ES_MAIL})"
        ),
        (
            r"no (?:me|nos) (?:escribas|escriba|escriban|escribais|contactes|contacte|contacten|molestes|"
            r"moleste|molesten)"
            r"(?: nunca)?(?: mas)?"
        ),
        (
            r"no (?:me|nos) (?:mandes|mande|manden|mandeis|envies|envie|envien|envieis|escribas|escriban) "
            rf"(?:(?:mas|nada|ningun|nunca|estos|sus|esos) )*(?:{_ES_MAIL}|nada mas|nada)(?: mas)?"
        ),
        (
            rf"no (?:quiero|deseo|queremos|deseamos) (?:recibir )?(?:seguir recibiendo )?{_ES_WHICH}{_ES_MAIL}"
            r"(?: suyos| de ustedes| de ti)?"
        ),
        (
            r"no (?:quiero|deseo) que me (?:escriban|escribas|escriba|contacten|contactes|molesten|manden mensajes|"
            r"envien mensajes)(?: mas)?"
        ),
        rf"no mas {_ES_MAIL}|basta de {_ES_MAIL}",
        (
            r"(?:quita|quite|quiten|elimina|elimine|eliminen|borra|borre|borren|saca|saque|saquen|quitar|"
            r"borrar|eliminar)"
            rf"(?:me|nos) {_ES_LIST}"
        ),
        (
            r"(?:quita|quite|quiten|elimina|elimine|eliminen|borra|borre|borren|saca|saque|saquen|quitar|"
            r"borrar|eliminar) "
            rf"mi (?:numero|telefono|celular|movil|contacto)(?: {_ES_LIST})?"
        ),
        rf"(?:quiero )?(?:darme|deme|denme|dame) de baja (?:{_ES_LIST}|de (?:estos|los|sus) {_ES_MAIL})",
        r"(?:dejame|dejeme|dejenme|dejadme|dejenos|dejennos)(?: ya)? (?:en paz|tranquil[oa])",
        r"(?:revoco|retiro)(?: mi| el)? consentimiento",
        (
            r"no (?:vuelvas|vuelva|vuelvan|volvais) a (?:escribirme|contactarme|molestarme|escribirnos|"
            r"llenarme de mensajes|"
            rf"(?:mandarme|enviarme) (?:mas )?{_ES_MAIL})"
        ),
    ),
    after=(
        *("por favor", "porfa", "gracias", "muchas gracias", "ya", "mas", "nunca", "jamas", "ahora"),
        *("ahora mismo", "de inmediato", "inmediatamente", "otra vez", "ok", "de una vez", "para siempre"),
        *(r"(?:a|en) este numero", r"por (?:whatsapp|sms)"),
    ),
)

_FR_MAIL: Final = r"(?:messages?|sms|textos?|pubs?|publicites?|spams?|notifications?|promos)"
_FR_LIST: Final = (
    r"de (?:votre|vos|ta|la|cette) (?:listes?|base de donnees|base|fichiers?|contacts|repertoire)"
    r"(?: de (?:diffusion|contacts|envoi))?"
)
_FR_NOT_ME: Final = (
    r"(?:ne )?(?:m'(?:envoyez|ecrivez|ecris|envoie|importunez|embetez)|"
    r"me (?:contactez|contacte|recontactez|texte|textez|derangez|derange|harcelez|sollicitez)|"
    r"nous (?:contactez|ecrivez|envoyez|derangez|envoie))"
)
_FRENCH: Final = WishWords(
    before=(
        *("s'il vous plait", "s'il te plait", "svp", "stp", "merci de", "merci", "bonjour", "bonsoir", "salut", "ok"),
        *("non", "veuillez", "et", "donc", "alors", "maintenant", "mauvais numero", "faux numero"),
        *(r"(?:pouvez vous|peux tu|pourriez vous)", r"je (?:vous|te) (?:prie|demande|ai dit) de"),
        r"(?:je ne suis )?pas interessee?",
    ),
    wishes=(
        (
            r"(?:d')?(?:arrete|arretez|arreter|cesse|cessez|cesser|stoppez)(?: donc| tout de suite|"
            r" maintenant)? (?:de|d') ?"
            r"(?:m'ecrire|nous ecrire|me contacter|nous contacter|me texter|m'embeter|me harceler|me deranger|"
            r"m'importuner|me spammer|me solliciter|(?:m'envoyer|nous envoyer|envoyer) (?:des|vos|tes|ces|"
            r"les|tous ces|de) "
            rf"{_FR_MAIL})"
        ),
        rf"(?:arrete|arretez|arreter|stoppez|cessez)(?: donc)? (?:les|vos|tes|ces|tous ces) {_FR_MAIL}",
        rf"{_FR_NOT_ME} (?:plus|plus jamais|plus rien|jamais plus)(?: (?:de|d'autres|vos|ces) ?{_FR_MAIL})?",
        rf"(?:ne )?(?:m'envoyez|m'envoie|nous envoyez) (?:pas|plus|plus jamais) (?:de|vos|ces|tes) {_FR_MAIL}",
        rf"n'envoyez plus (?:de|vos|ces|aucun|rien|les) ?(?:{_FR_MAIL})?",
        (
            r"je ne (?:veux|souhaite|desire) (?:plus|pas) (?:recevoir )?"
            rf"(?:de|vos|ces|tes|aucun|d'autres) {_FR_MAIL}(?: de (?:votre|ta) part)?"
        ),
        (
            r"je ne (?:veux|souhaite|desire) plus (?:etre (?:contactee?|derangee?|sollicitee?)|que vous m'ecriviez|"
            r"que tu m'ecrives|rien recevoir de (?:votre|ta) part|avoir de vos nouvelles)"
        ),
        rf"ne plus (?:me contacter|m'ecrire|me deranger|m'envoyer de {_FR_MAIL})",
        rf"plus aucun {_FR_MAIL}|plus jamais de {_FR_MAIL}",
        rf"(?:retirez|retire|supprimez|supprime|enlevez|enleve|effacez|rayez|otez|sortez) moi {_FR_LIST}",
        (
            r"(?:retirez|retire|supprimez|supprime|enlevez|enleve|effacez|efface|retirer|supprimer|effacer) "
            rf"mon (?:numero|contact)(?: {_FR_LIST})?"
        ),
        rf"(?:desabonnez|desabonne|desinscrivez|desinscris) moi(?: {_FR_LIST}| de (?:vos|ces) {_FR_MAIL})?",
        rf"je (?:veux|voudrais|souhaite) me (?:desabonner|desinscrire) (?:{_FR_LIST}|de (?:vos|ces) {_FR_MAIL})",
        r"(?:laissez|laisse|fichez|foutez|lachez) (?:moi|nous)(?: donc| enfin)? (?:tranquilles?|en paix|la paix)",
        r"je (?:retire|revoque)(?: mon)? consentement",
    ),
    after=(
        *("svp", "stp", "s'il vous plait", "s'il te plait", "merci", "maintenant", "tout de suite", "immediatement"),
        *("jamais", "a l'avenir", "desormais", "ok", "definitivement", "une fois pour toutes", "encore"),
        *(r"(?:a|sur) ce numero", r"(?:par|sur) (?:sms|whatsapp)"),
    ),
)

_PT_MAIL: Final = (
    r"(?:mensagens|mensagem|sms|msgs?|torpedos|propagandas?|spam|promocoes|publicidade|notificacoes|mensagens de texto)"
)
_PT_LIST: Final = (
    r"d(?:a|e|essa|esta|a sua|a vossa|e sua|as suas) (?:lista|listas|base de dados|base|agenda)"
    r"(?: de (?:contatos|contactos|transmissao|envio|mensagens))?"
)
_PT_WHICH: Final = r"(?:(?:mais|essas|esses|estas|estes|suas|tantas|as|tanta) )*"
_PORTUGUESE: Final = WishWords(
    before=(
        r"nao(?! (?:par|deix))",
        *(
            "por favor",
            "pf",
            "pfv",
            "ola",
            "oi",
            "ok",
            "obrigad[oa]",
            "e",
            "ja",
            "agora",
            "gente",
        ),
        *("numero errado", "nao tenho interesse", "sem interesse", "voces?", "bom dia", "boa tarde", "boa noite"),
        *(r"(?:quero|preciso|peco|gostaria) que(?: voces?)?", r"(?:pode|podem|poderia|poderiam)"),
    ),
    wishes=(
        (
            r"(?:pare|parem|para|parar|deixe|deixem|deixa|deixar|chega)(?: ja)? de (?:(?:me|nos) )?"
            r"(?:escrever|contatar|contactar|incomodar|perturbar|importunar|"
            rf"(?:enviar|mandar)(?: me)? {_PT_WHICH}{_PT_MAIL})(?: me| mais)?"
        ),
        (
            r"nao (?:me|nos) (?:mande|mandem|manda|mandes|envie|enviem|envia|envies) "
            rf"(?:mais |nunca mais |essas |suas |nenhuma )*(?:{_PT_MAIL}|nada)(?: mais)?"
        ),
        (
            r"nao (?:me|nos) (?:escreva|escrevam|escrevas|contate|contatem|contacte|contactem|incomode|"
            r"incomodem|perturbe|"
            r"perturbem|importune|importunem)(?: nunca)?(?: mais)?"
        ),
        rf"nao (?:mande|mandem|envie|enviem) mais {_PT_MAIL}",
        rf"nao (?:quero|desejo|queremos|gostaria de) (?:mais )?(?:receber )?{_PT_WHICH}{_PT_MAIL}(?: de voces| suas)?",
        (
            r"nao quero (?:mais )?que (?:voces? )?(?:me )?(?:escrevam|contatem|contactem|incomodem|mandem mensagens|"
            r"enviem mensagens)(?: mais)?"
        ),
        rf"(?:chega de|sem mais) {_PT_WHICH}{_PT_MAIL}",
        (
            r"(?:tire|tirem|tira|retire|retirem|remova|removam|exclua|excluam|apague|apaguem|apaga|delete|"
            r"deletem|tirar|"
            rf"remover|apagar|excluir)(?: o)? meu (?:numero|telefone|contato|contacto|celular)(?: {_PT_LIST})?"
        ),
        (
            r"(?:me (?:tire|tirem|tira|retire|retirem|remova|removam|exclua|excluam)|"
            rf"(?:tire|tirem|tira|retire|retirem|remova|removam) me|(?:quero|queria) sair) {_PT_LIST}"
        ),
        r"me (?:descadastre|descadastrem|descadastra)|(?:quero|gostaria de) me descadastrar",
        r"me deix(?:a|e|em) em paz|deix(?:a|e|em) me em paz",
        r"(?:revogo|retiro)(?: o)?(?: meu)? consentimento",
        (
            r"nao (?:volte|voltem|voltes) a (?:me )?(?:escrever|contatar|contactar|incomodar|"
            rf"(?:mandar|enviar)(?: me)? {_PT_MAIL})(?: me)?"
        ),
    ),
    after=(
        *(
            "por favor",
            "pf",
            "pfv",
            "obrigad[oa]",
            "agora",
            "ja",
            "mais",
            "nunca mais",
            "imediatamente",
            "para mim",
            "ok",
        ),
        *(
            "de vez",
            "para sempre",
            "novamente",
            r"(?:para|neste|para este) ?(?:este )?numero",
            "por sms",
            "no whatsapp",
        ),
    ),
)

_IT_MAIL: Final = r"(?:messaggi|messaggio|sms|messaggini|pubblicita|notifiche|spam|promozioni)"
_IT_LIST: Final = (
    r"(?:da|dal|dalla|dalle|dai) (?:(?:vostra|vostro|tua|sua|vostre|vostri|questa) )?"
    r"(?:lista|liste|elenco|rubrica|database|mailing list|contatti)(?: di contatti| contatti)?"
)
_ITALIAN: Final = WishWords(
    before=(
        *("per favore", "perfavore", "per cortesia", "ciao", "salve", "ok", "no", "grazie", "basta", "e"),
        *("ora", "buongiorno", "buonasera", "numero sbagliato", "non mi interessa", "non sono interessat[oa]"),
        *(r"(?:vi|la|ti|le) (?:prego|chiedo) di", r"(?:potete|puo|puoi|potreste)"),
    ),
    wishes=(
        (
            r"(?:smettila|smettetela|smetta|smettete|smetti|smetterla|smettere|finitela|finiscila|piantala|"
            r"piantatela) di "
            r"(?:scrivermi|scriverci|contattarmi|contattarci|disturbarmi|tormentarmi|importunarmi|messaggiarmi|"
            rf"(?:mandarmi|inviarmi|mandarci|inviarci) (?:(?:altri|questi|quei|i|dei|tutti) )*{_IT_MAIL})"
        ),
        rf"(?:smettila|smettetela|smetta|basta|finitela) con (?:(?:i|questi|gli|tutti|questa|la) )*{_IT_MAIL}",
        (
            r"non (?:mi|ci) (?:scrivete|scriva|scrivere|contattate|contatti|contattare|disturbate|disturbi|importunate)"
            r" (?:piu|mai piu)"
        ),
        r"non (?:scrivetemi|scrivermi|contattatemi|contattarmi|disturbatemi|cercatemi) (?:piu|mai piu)",
        (
            r"non (?:(?:mi|ci) (?:mandate|mandi|mandare|inviate|invii|inviare)|mandatemi|mandarmi|inviatemi|inviarmi) "
            rf"(?:piu|mai piu|altri)(?: (?:altri )?(?:{_IT_MAIL}|niente|nulla))?"
        ),
        (
            r"non (?:voglio|desidero|vogliamo) (?:piu )?(?:ricevere )?(?:(?:piu|altri|i|vostri|questi) )*"
            rf"{_IT_MAIL}(?: da voi| da te| vostri)?"
        ),
        r"non (?:voglio|desidero) (?:piu )?essere contattat[oa]",
        rf"basta {_IT_MAIL}|niente piu {_IT_MAIL}",
        (
            r"(?:toglietemi|toglimi|mi tolga|cancellatemi|cancellami|rimuovetemi|rimuovimi|mi rimuova|eliminatemi|"
            rf"mi cancelli|toglietevi) {_IT_LIST}"
        ),
        (
            r"(?:cancellate|cancella|cancelli|eliminate|elimini|elimina|rimuovete|rimuova|togliete|cancellare) "
            rf"il mio (?:numero|contatto|cellulare)(?: {_IT_LIST})?"
        ),
        r"(?:lasciatemi|lasciami|lasciateci|mi lasci|mi lasciate) (?:in pace|stare)",
        r"(?:revoco|ritiro) il(?: mio)? consenso",
    ),
    after=(
        *("per favore", "per cortesia", "grazie", "ora", "adesso", "subito", "immediatamente", "piu", "mai piu", "ok"),
        *("per sempre", r"(?:su|a) questo numero", r"(?:su|via|per) (?:whatsapp|sms)"),
    ),
)

WORDS: Final[Mapping[str, WishWords]] = {
    "de": _GERMAN,
    "es": _SPANISH,
    "fr": _FRENCH,
    "pt": _PORTUGUESE,
    "it": _ITALIAN,
}
"""By language; English stands in `consent.py`, whose words the law itself names."""
